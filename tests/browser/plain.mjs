// The page's plain WebSocket: what a person sends comes back, and closes are told.

import { equal, test } from '../clients/tap.mjs';
import { connect, part, sendAndCompare, stateBecomes } from './form.mjs';
import { onPage, server, testee, ws } from './session.mjs';

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
  await part(page).getByLabel('URL').press('Enter');
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
  await part(page).getByLabel('Close code').fill('3456');
  await part(page).getByLabel('Reason').fill('bye \u00e9');
  await part(page).getByRole('button', { name: 'Disconnect' }).click();
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
