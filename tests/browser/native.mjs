// The browser's own WebSocket: every size byte for byte, and its answers to pings.

import { equal, test } from '../clients/tap.mjs';
import { establishedTo, networkProcess } from './chromium.mjs';
import { connect, sendAndCompare, stateBecomes } from './form.mjs';
import { onPage, profile, server, testee, ws } from './session.mjs';

// The testee's ping interval and pong timeout, 1 s each, and 5 s in which it waits for the answer to its close.
const FROZEN_SECONDS_MAX = 15;

/** Inside the page: sends messages of these sizes and compares what comes back, byte for byte. */
async function compareInPage({ url, sizes, kind }) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const next = name => new Promise((resolve, reject) => {
    socket.addEventListener(name, resolve, { once: true });
    socket.addEventListener('close', event => reject(new Error(`closed with ${event.code}`)), { once: true });
  });
  await next('open');
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
    const failed = await page.evaluate(compareInPage, { url: `${ws(server)}/echo`, sizes, kind });
    equal(failed, [], 'sizes that came back different');
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
