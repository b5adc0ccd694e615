// Topics as programs in JavaScript use them: Node's `ws`, and fetch for publishing and server-sent events.
//
//   node push.mjs --url http://127.0.0.1:8080 [--only NAME]

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import WebSocket from 'ws';
import { argument, equal, runAll, test, within } from './tap.mjs';

const server = argument('url');
if (!server) {
  console.error('usage: node push.mjs --url http://HOST:PORT [--only NAME]');
  process.exit(2);
}

/** A connection that is open; its messages wait in it until they are asked for. */
async function connect(path, protocols = []) {
  const ws = new WebSocket(server.replace('http', 'ws') + path, protocols);
  const [messages, waiting] = [[], []];
  ws.on('message', (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (waiting.length) waiting.shift()(message); else messages.push(message);
  });
  ws.next = () => within(
    messages.length ? Promise.resolve(messages.shift()) : new Promise(resolve => waiting.push(resolve)), 30);
  ws.ask = async command => {
    ws.send(JSON.stringify(command));
    return JSON.parse(await ws.next());
  };
  await within(once(ws, 'open'), 10);
  return ws;
}

/** A name that nobody else uses. */
const topic = () => `clients/${randomUUID()}`;

async function publish(name, body) {
  const answer = await fetch(`${server}/topics/${name}`, { method: 'POST', body });
  equal(answer.status, 200, 'status');
  return answer.json();
}

/** The events of a stream, each as its lines. */
async function* events(name, headers = {}, signal) {
  const answer = await fetch(`${server}/topics/${name}`,
    { headers: { Accept: 'text/event-stream', ...headers }, signal });
  equal(answer.headers.get('content-type'), 'text/event-stream', 'type');
  let text = '';
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      yield text.slice(0, end).split('\n');
    }
  }
}

test('ws subscribes, publishes and resumes over /ws', async () => {
  const name = topic();
  const first = await connect('/ws', ['wsring.v1']);
  equal(first.protocol, 'wsring.v1', 'subprotocol');
  const { ok: { epoch } } = await first.ask({ id: 1, command: 'subscribe', topic: name });
  const published = await first.ask({ id: 2, command: 'publish', topic: name, data: { a: [1.5, 'é'] } });
  equal(published, { id: 2, ok: { offset: 0, epoch, subscribers: 1 } }, 'answer');
  equal(JSON.parse(await first.next()), { topic: name, offset: 0, data: { a: [1.5, 'é'] } }, 'delivery');
  first.terminate();
  await publish(name, 'while away');
  const second = await connect('/ws', ['wsring.v1']);
  const answer = await second.ask({ id: 'again', command: 'subscribe', topic: name, from: 1, epoch });
  equal(answer, { id: 'again', ok: { topic: name, epoch, next: 1 } }, 'answer');
  equal(JSON.parse(await second.next()), { topic: name, offset: 1, data: 'while away' }, 'delivery');
  second.close();
});

test('ws gets binary and text as they were published', async () => {
  const name = topic();
  const ws = await connect(`/topics/${name}`);
  ws.send(Buffer.from([0, 255]));
  equal(await ws.next(), Buffer.from([0, 255]), 'binary');
  await publish(name, 'text');
  equal(await ws.next(), 'text', 'text');
  ws.close();
});

test('fetch follows a topic and resumes by Last-Event-ID', async () => {
  const name = topic();
  const { epoch } = await publish(name, 'zero');
  const follow = async (id, expected) => {
    const over = new AbortController();
    const stream = events(name, { 'Last-Event-ID': id }, over.signal);
    equal((await within(stream.next(), 10)).value, ['retry: 2000'], 'beginning');
    for (const lines of expected) equal((await within(stream.next(), 10)).value, lines, 'event');
    over.abort();
  };
  await publish(name, 'one');
  await follow(`${epoch}-0`, [[`id: ${epoch}-1`, 'data: one']]);
  await publish(name, 'two\nlines');
  await follow(`${epoch}-1`, [[`id: ${epoch}-2`, 'data: two', 'data: lines']]);
});

await runAll();
process.exit();
