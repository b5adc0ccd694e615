// Headless Chromium against the server: its page used as a person would, and the browser's own WebSocket.
//
//   node browser.mjs --url http://127.0.0.1:8080 --testee http://127.0.0.1:8081 [--screenshots DIR] [--only NAME]

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { argument, equal, runAll, test, within } from '../clients/tap.mjs';
import { establishedTo, networkProcess, startChromium } from './chromium.mjs';

// The testee's ping interval and pong timeout, 1 s each, and 5 s in which it waits for the answer to its close.
const FROZEN_SECONDS_MAX = 15;

const server = argument('url');
const testee = argument('testee');
if (!server || !testee) {
  console.error('usage: node browser.mjs --url http://HOST:PORT --testee http://HOST:PORT [--screenshots DIR]');
  process.exit(2);
}
const ws = base => base.replace('http', 'ws');
const screenshots = argument('screenshots');
if (screenshots) mkdirSync(screenshots, { recursive: true });
const { context, profile } = await startChromium({ viewport: { width: 1100, height: 1000 } });

/** Runs a step on a fresh copy of the server's page, and fails when the page complained in the console. */
async function onPage(step) {
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', error => complaints.push(error.message));
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
  try {
    await page.goto(server);
    await step(page, complaints);
    equal(complaints, [], 'what the page complained about');
  } finally {
    await page.close();
  }
}

const state = page => page.locator('#state');

async function stateBecomes(page, name, words) {
  await page.locator(`#state[data-state=${name}]`).waitFor({ timeout: 10_000 });
  const text = await state(page).textContent();
  if (!text.includes(words)) throw new Error(`the page says ${JSON.stringify(text)} and not ${JSON.stringify(words)}`);
}

async function connect(page, { url, protocols = '' } = {}) {
  if (url) await page.getByLabel('URL').fill(url);
  await page.getByLabel('Subprotocols').fill(protocols);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
}

/** Sends what the form describes and waits for the row of an echo that is equal: only that one has a round trip. */
async function sendAndCompare(page, kind, field, value) {
  const before = await page.locator('#log .received').count();
  await page.getByRole('combobox', { name: 'Message' }).selectOption(kind);
  await page.getByLabel(field).fill(value);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.waitForFunction(count => document.querySelectorAll('#log .received').length > count, before);
  const trip = await page.locator('#log .received .trip').first().textContent();
  if (!trip.endsWith(' ms')) throw new Error('what came back is not what was sent');
}

test('the page asks only this server for anything', () => onPage(async page => {
  const asked = [];
  page.on('request', request => asked.push(new URL(request.url()).origin));
  await page.reload();
  equal([...new Set(asked)], [server], 'origins');
}));

test('the page: connect, text, hex and 1 MiB come back equal', () => onPage(async page => {
  await connect(page);
  await stateBecomes(page, 'open', '/echo');
  await sendAndCompare(page, 'text', 'Content', 'h\u00e9llo \u20ac \u{1F600}');
  await sendAndCompare(page, 'text', 'Content', '');
  await sendAndCompare(page, 'hex', 'Content', '00 ff 1a 80');
  await sendAndCompare(page, 'random-binary', 'Bytes', String(1 << 20));
  await sendAndCompare(page, 'random-text', 'Bytes', String(1 << 20));
  equal(await page.locator('#received-messages').textContent(), '5', 'messages received');
}));

test('the page: with the keyboard alone', () => onPage(async page => {
  await page.getByLabel('URL').press('Enter');
  await stateBecomes(page, 'open', '/echo');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('typed');
  await page.keyboard.press('Control+Enter');
  await page.locator('#log .received .what', { hasText: 'typed' }).waitFor({ timeout: 5000 });
}));

test('the page: subprotocol is seen', () => onPage(async page => {
  await connect(page, { protocols: 'nothing, echo' });
  await stateBecomes(page, 'open', 'subprotocol echo');
}));

test('the page: a browser refuses a server that chose no subprotocol', () => onPage(async (page, complaints) => {
  await connect(page, { protocols: 'nothing' });
  await stateBecomes(page, 'failed', '1006');
  complaints.length = 0; // Chromium reports the failed handshake in the console
}));

test('the page: own close code is answered', () => onPage(async page => {
  await connect(page);
  await stateBecomes(page, 'open', '/echo');
  await page.getByLabel('Close code').fill('3456');
  await page.getByLabel('Reason').fill('bye \u00e9');
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await stateBecomes(page, 'closed', 'code 3456');
}));

for (const code of [1000, 1001, 1011, 4001]) {
  test(`the page: the server's close ${code} is seen`, () => onPage(async page => {
    await connect(page, { url: `${ws(testee)}/close/${code}` });
    await page.locator('#log .note .what', { hasText: `closed with code ${code}` }).waitFor({ timeout: 5000 });
    await stateBecomes(page, 'closed', `code ${code}, reason \u201cclosed by the server\u201d`);
  }));
}

test('the page: an unknown path is reported', () => onPage(async (page, complaints) => {
  await connect(page, { url: `${ws(server)}/no-such-path` });
  await stateBecomes(page, 'failed', 'could not connect');
  complaints.length = 0;
}));

test('two pages see the same broadcast', () => onPage(one => onPage(async two => {
  for (const page of [one, two]) {
    await connect(page, { url: `${ws(server)}/broadcast` });
    await stateBecomes(page, 'open', '/broadcast');
  }
  await sendAndCompare(one, 'text', 'Content', 'to both');
  await two.locator('#log .received .what', { hasText: 'to both' }).waitFor({ timeout: 5000 });
})));

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

test('the page fits every width, in light and dark', () => onPage(async page => {
  await connect(page, { protocols: 'echo' });
  await stateBecomes(page, 'open', '/echo');
  await sendAndCompare(page, 'text', 'Content', 'Hello, wsring');
  await sendAndCompare(page, 'hex', 'Content', 'de ad be ef');
  await sendAndCompare(page, 'random-binary', 'Bytes', '1048576');
  const looks = [['page', 1100, 'light'], ['page-dark', 1100, 'dark'], ['page-phone', 360, 'light']];
  for (const [name, width, colorScheme] of looks) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 1000 });
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    equal(beyond, 0, `pixels beyond the right edge at a width of ${width}`);
    if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
  }
}));

try {
  await within(runAll(), 300);
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
