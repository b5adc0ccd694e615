// The Node library `ws` as a client.
//
//   node library.mjs --url http://127.0.0.1:8080 [--testee http://127.0.0.1:8081] [--only NAME]

import { once } from 'node:events';
import WebSocket from 'ws';
import { argument, equal, runAll, test, within } from './tap.mjs';

const SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20];
const server = argument('url');
const testee = argument('testee');
if (!server) {
  console.error('usage: node library.mjs --url http://HOST:PORT [--testee http://HOST:PORT] [--only NAME]');
  process.exit(2);
}

/** A connection that is open; its messages and its close wait in it until they are asked for. */
async function connect(path, { base = server, protocols = [], ...settings } = {}) {
  const ws = new WebSocket(base.replace('http', 'ws') + path, protocols,
    { perMessageDeflate: false, maxPayload: 64 << 20, ...settings });
  const messages = [];
  const waiting = [];
  ws.on('message', (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (waiting.length) waiting.shift()(message); else messages.push(message);
  });
  ws.next = () => within(
    messages.length ? Promise.resolve(messages.shift()) : new Promise(resolve => waiting.push(resolve)), 30);
  ws.closed = new Promise(resolve => ws.on('close', (code, reason) => resolve([code, reason.toString()])));
  await within(once(ws, 'open'), 10);
  ws.on('error', () => {}); // a failure after the opening shows in the close code
  return ws;
}

/** The answer to a handshake that was refused. */
function refusal(path, { base = server } = {}) {
  return within(new Promise((resolve, reject) => {
    const ws = new WebSocket(base.replace('http', 'ws') + path);
    ws.on('unexpected-response', (request, response) => {
      resolve(response);
      request.destroy();
    });
    ws.on('open', () => reject(new Error(`the server accepted ${path}`)));
    ws.on('error', reject);
  }), 10);
}

function bytes(size) {
  const buffer = Buffer.alloc(size);
  let state = size + 1;
  for (let at = 0; at < size; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    buffer[at] = state >>> 24;
  }
  return buffer;
}

function text(size) {
  const piece = 'aé€\u{1F600}'; // 1, 2, 3 and 4 bytes in UTF-8
  return piece.repeat(Math.floor(size / 10)) + '.'.repeat(size % 10);
}

async function echoes(message, settings) {
  const ws = await connect('/echo', settings);
  ws.send(message);
  equal(await ws.next(), message, 'echo');
  ws.close();
  equal((await within(ws.closed, 10))[0], 1005, 'close code');
}

for (const size of SIZES) {
  test(`echo text of ${size} bytes`, () => echoes(text(size)));
  test(`echo binary of ${size} bytes`, () => echoes(bytes(size)));
}

test('echo for a client that offers permessage-deflate', () => echoes(text(100_000), { perMessageDeflate: true }));

for (const count of [2, 3, 100]) {
  test(`echo binary in ${count} fragments`, async () => {
    const ws = await connect('/echo');
    const parts = Array.from({ length: count }, (_, number) => bytes(number * 7));
    parts.forEach((part, number) => ws.send(part, { binary: true, fin: number === count - 1 }));
    equal(await ws.next(), Buffer.concat(parts), 'echo');
    ws.terminate();
  });
}

test('code points cut by fragments come back whole', async () => {
  const ws = await connect('/echo');
  const whole = Buffer.from(text(100));
  for (let at = 0; at < whole.length; at += 1) {
    ws.send(whole.subarray(at, at + 1), { binary: false, fin: at === whole.length - 1 });
  }
  equal(await ws.next(), whole.toString(), 'echo');
  ws.terminate();
});

test('2000 messages sent at once come back in order', async () => {
  const ws = await connect('/echo');
  for (let number = 0; number < 2000; number += 1) ws.send(`${number} ${'x'.repeat(number % 300)}`);
  for (let number = 0; number < 2000; number += 1) {
    equal(await ws.next(), `${number} ${'x'.repeat(number % 300)}`, `message ${number}`);
  }
  ws.terminate();
});

for (const [code, reason] of [[1000, ''], [1000, 'bye'], [3456, 'bye é'], [4999, 'x'.repeat(123)]]) {
  test(`close ${code} with a reason of ${Buffer.byteLength(reason)} bytes is answered`, async () => {
    const ws = await connect('/echo');
    ws.close(code, reason);
    equal((await within(ws.closed, 10))[0], code, "the server's close code");
  });
}

test('ping is answered with its payload', async () => {
  const ws = await connect('/echo');
  for (const payload of [Buffer.alloc(0), Buffer.from('hello'), bytes(125)]) {
    ws.ping(payload);
    equal((await within(once(ws, 'pong'), 5))[0], payload, 'pong');
  }
  ws.terminate();
});

test('subprotocol echo is chosen from several', async () => {
  const ws = await connect('/echo', { protocols: ['nothing', 'echo'] });
  equal(ws.protocol, 'echo', 'subprotocol');
  ws.terminate();
});

test('a client that insists on a subprotocol sees that the server chose none', async () => {
  const found = await connect('/echo', { protocols: ['nothing'] }).then(() => 'open', error => error.message);
  equal(found, 'Server sent no subprotocol', 'error');
});

test('unknown path is refused with 404', async () => {
  equal((await refusal('/no-such-path')).statusCode, 404, 'status');
});

test('broadcast reaches every connection, the sender included', async () => {
  const all = await Promise.all([1, 2, 3].map(() => connect('/broadcast')));
  all[1].send('to all');
  for (const ws of all) equal(await ws.next(), 'to all', 'broadcast');
  all.forEach(ws => ws.terminate());
});

if (testee) {
  for (const code of [1000, 1001, 1008, 1011, 1013, 3000, 4001]) {
    test(`the server's own close ${code} is seen`, async () => {
      const ws = await connect(`/close/${code}`, { base: testee });
      equal(await within(ws.closed, 5), [code, 'closed by the server'], "the server's close");
    });
  }

  test('rejected with 401 and a header', async () => {
    const response = await refusal('/reject', { base: testee });
    equal(response.statusCode, 401, 'status');
    equal(typeof response.headers['www-authenticate'], 'string', 'type of the header www-authenticate');
  });

  test('accepted later, from another thread', async () => {
    const ws = await connect('/slow-accept', { base: testee });
    ws.send('patience');
    equal(await ws.next(), 'patience', 'echo');
    ws.terminate();
  });

  test("the server's pings arrive, and answering them keeps the connection", async () => {
    const ws = await connect('/echo', { base: testee });
    for (const _ of [1, 2, 3]) await within(once(ws, 'ping'), 5);
    ws.send('still here');
    equal(await ws.next(), 'still here', 'echo');
    ws.terminate();
  });

  test('a client that does not answer pings is closed', async () => {
    const ws = await connect('/echo', { base: testee, autoPong: false });
    await within(once(ws, 'ping'), 5);
    await within(ws.closed, 10);
  });
}

await runAll();
process.exit();
