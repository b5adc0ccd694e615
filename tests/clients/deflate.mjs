// permessage-deflate with the Node library `ws`: 1,000 messages on one connection under each agreement.
//
//   node deflate.mjs --url http://127.0.0.1:8080 [--testee http://127.0.0.1:8081] [--only NAME]
//
// The testee's route /deflate compresses in the way that its query names; the server's own /echo in its usual one.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import WebSocket from 'ws';
import { argument, equal, runAll, test, within } from './tap.mjs';

const COUNT = 1000;
const SIZES = [0, 1, 2, 63, 64, 125, 126, 127, 1000, 4096, 20_000, 65_535, 65_536];
const LONG = [100_000, 300_000, (1 << 20) - 1, 1 << 20]; // one message in fifty
const WORDS = 'the quick brown fox jumps over a lazy dog price volume symbol time'.split(' ');
const IN_FLIGHT_MAX = 20;

const server = argument('url');
const testee = argument('testee');
if (!server) {
  console.error('usage: node deflate.mjs --url http://HOST:PORT [--testee http://HOST:PORT] [--only NAME]');
  process.exit(2);
}

/** Numbers below a bound. */
function dice(seed) {
  let state = seed >>> 0;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

/** Text that compresses well, then bytes that do not, of every size. */
function message(number, roll) {
  const size = number % 50 === 49 ? LONG[roll(LONG.length)] : SIZES[roll(SIZES.length)];
  if (number % 2) return randomBytes(size);
  let words = '';
  while (words.length < Math.min(size, 10_000)) words += `${WORDS[roll(WORDS.length)]} ${roll(100)} `;
  return words.repeat(words ? Math.ceil(size / words.length) : 0).slice(0, size);
}

async function thousand(base, path, expected, parameters = {}) {
  const ws = new WebSocket(base.replace('http', 'ws') + path, [],
    { perMessageDeflate: { threshold: 0, ...parameters }, maxPayload: 64 << 20 });
  const waiting = [];
  const arrived = [];
  ws.on('message', (data, isBinary) => {
    const found = isBinary ? data : data.toString();
    if (waiting.length) waiting.shift()(found); else arrived.push(found);
  });
  const next = () => within(arrived.length ? Promise.resolve(arrived.shift()) : new Promise(resolve => waiting.push(resolve)), 30);
  await within(once(ws, 'open'), 10);
  ws.on('error', () => {}); // a failure after the opening shows in what does not arrive
  equal(ws._extensions['permessage-deflate']?.params, expected, 'what was agreed on');

  const roll = dice(path.length);
  const messages = Array.from({ length: COUNT }, (_, number) => message(number, roll));
  let sent = 0;
  for (let number = 0; number < COUNT; number += 1) {
    while (sent < COUNT && sent < number + IN_FLIGHT_MAX) ws.send(messages[sent++]);
    equal(await next(), messages[number], `message ${number}`);
  }
  const bytes = messages.reduce((sum, sent) => sum + sent.length, 0);
  if (ws._socket.bytesRead > bytes * 0.9) throw new Error(`${ws._socket.bytesRead} bytes came for ${bytes}`);
  ws.close();
  equal((await within(new Promise(resolve => ws.on('close', resolve)), 10)), 1005, 'close code');
}

const NONE = { server_no_context_takeover: true, client_no_context_takeover: true };

test('1000 messages over /echo, as it is', () => thousand(server, '/echo', NONE));

if (testee) {
  for (const [name, path, parameters, expected] of [
    ['with takeover on both sides', '/deflate', {}, {}],
    ['without takeover', '/deflate?takeover=none', {}, NONE],
    ["with the server's takeover alone", '/deflate?takeover=server', {}, { client_no_context_takeover: true }],
    ["with the client's takeover alone", '/deflate?takeover=client', {}, { server_no_context_takeover: true }],
    ['with the windows that the server wants', '/deflate?server_bits=9&client_bits=10', {},
      { server_max_window_bits: 9, client_max_window_bits: 10 }],
    ['with what the client asks for', '/deflate', { serverNoContextTakeover: true, serverMaxWindowBits: 11, clientMaxWindowBits: 12 },
      { server_no_context_takeover: true, server_max_window_bits: 11, client_max_window_bits: 12 }],
    ['with short ones left as they are', '/deflate?bytes_min=1000', {}, {}],
  ]) {
    test(`1000 messages ${name}`, () => thousand(testee, path, expected, parameters));
  }
}

await runAll();
process.exit();
