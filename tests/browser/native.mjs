// The browser's own WebSocket: every size byte for byte, and its answers to pings.

import { equal, test } from '../clients/tap.mjs';
import { establishedTo, networkProcess } from './chromium.mjs';
import { connect, sendAndCompare, stateBecomes } from './form.mjs';
import { onPage, profile, server, testee, ws } from './session.mjs';

// The testee's ping interval and pong timeout, 1 s each, and 5 s in which it waits for the answer to its close.
const FROZEN_SECONDS_MAX = 15;

/** Inside the page: sends messages of these sizes and compares what comes back, byte for byte. */
async function compareInPage({ url, sizes, kind, extensions }) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const next = name => new Promise((resolve, reject) => {
    socket.addEventListener(name, resolve, { once: true });
    socket.addEventListener('close', event => reject(new Error(`closed with ${event.code}`)), { once: true });
  });
  await next('open');
  if (extensions !== undefined && socket.extensions !== extensions) throw new Error(`it has "${socket.extensions}"`);
  const failed = [];
  for (const size of sizes) {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
    const sent = kind === 'text' ? Array.from(bytes, byte => String.fromCharCode(32 + byte % 95)).join('') : bytes;
    const answer = next('message');
    socket.send(sent);
    const { data } = await answer;
    const equal = kind === 'text' ? data === sent
      : data.byteLength === size && new Uint8Array(data).every((byte, at) => byte === bytes[at]);
    if (!equal) failed.push(size);
  }
  socket.close(1000);
  return failed;
}

for (const kind of ['text', 'binary']) {
  test(`the browser's own ${kind} of 0 bytes to 16 MiB comes back byte for byte`, () => onPage(async page => {
    const sizes = [0, 1, 125, 126, 127, 65535, 65536, 65537, 1 << 20, 16 << 20];
    const failed = await page.evaluate(compareInPage, { url: `${ws(server)}/echo`, sizes, kind, extensions: NONE });
    equal(failed, [], 'sizes that came back different');
  }));
}

/** Inside the page: a thousand messages, all on their way at once; how many came back different. */
async function compareThousandInPage({ url, extensions }) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const sizes = [0, 1, 63, 64, 125, 126, 127, 1000, 4096, 20_000, 65_535, 65_536];
  const words = 'the quick brown fox jumps over a lazy dog price volume symbol time'.split(' ');
  const message = number => {
    const size = number % 50 === 49 ? 1 << 20 : sizes[number % sizes.length];
    if (number % 2) {
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
      return bytes;
    }
    const text = Array.from({ length: Math.min(size, 2000) }, (_, at) => words[at * number % words.length] + at).join(' ');
    return text.repeat(size ? Math.ceil(size / text.length) : 0).slice(0, size);
  };
  const equal = (sent, came) => typeof sent === 'string' ? came === sent
    : came.byteLength === sent.length && new Uint8Array(came).every((byte, at) => byte === sent[at]);
  return new Promise((resolve, reject) => {
    const sent = [];
    let [came, different] = [0, 0];
    const say = () => {
      sent.push(message(sent.length));
      socket.send(sent.at(-1));
    };
    socket.onclose = event => reject(new Error(`closed with ${event.code} after ${came}`));
    socket.onopen = () => {
      if (socket.extensions !== extensions) return reject(new Error(`it has "${socket.extensions}"`));
      for (let ahead = 0; ahead < 20; ahead += 1) say();
    };
    socket.onmessage = ({ data }) => {
      different += !equal(sent[came], data);
      sent[came++] = undefined;
      if (came === 1000) resolve(different);
      else if (sent.length < 1000) say();
    };
  });
}

const NONE = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
for (const [name, path, extensions] of [
  ['with takeover', '/deflate', 'permessage-deflate'],
  ['without takeover', '/deflate?takeover=none', NONE],
  ['with small windows', '/deflate?server_bits=9&client_bits=9',
    'permessage-deflate; server_max_window_bits=9; client_max_window_bits=9'],
]) {
  test(`1000 messages of the browser's own come back byte for byte, compressed ${name}`, () => onPage(async page => {
    const different = await page.evaluate(compareThousandInPage, { url: ws(testee) + path, extensions });
    equal(different, 0, 'messages that came back different');
  }));
}

test('a live browser answers pings and stays connected', () => onPage(async page => {
  await connect(page, { url: `${ws(testee)}/echo` });
  await stateBecomes(page, 'open', '/echo');
  await page.waitForTimeout(5000);
  await sendAndCompare(page, 'text', 'Content', 'still here');
}));

test('a frozen browser does not answer pings and is closed by the server', () => onPage(async page => {
  const port = Number(new URL(testee).port);
  await connect(page, { url: `${ws(testee)}/echo` });
  await stateBecomes(page, 'open', '/echo');
  equal(establishedTo(port), 1, 'connections before');
  const frozen = networkProcess(profile);
  process.kill(frozen, 'SIGSTOP');
  try {
    const deadline = Date.now() + FROZEN_SECONDS_MAX * 1000;
    while (establishedTo(port) && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 100));
    equal(establishedTo(port), 0, 'connections that the server still holds');
  } finally {
    process.kill(frozen, 'SIGCONT');
  }
  await page.locator('#state:not([data-state=open])').waitFor({ timeout: 10_000 });
}));
