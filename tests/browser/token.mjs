// The page of a server that wants tokens: it says what is refused and why, and works with what is given.

import { createHmac } from 'node:crypto';
import { equal, test } from '../clients/tap.mjs';
import { withServer } from './own.mjs';
import { onPage, reads } from './session.mjs';
import { subscribe } from './topics.mjs';

const SECRET = 'a secret of the tests, long enough for it';
const KEY = 'an API key / of = the tests';
const CONFIGURATION = `[auth]\njwt_hs256_secret = ${JSON.stringify(SECRET)}\napi_keys = [${JSON.stringify(KEY)}]\n`;

/** A JSON Web Token (RFC 7519) with these claims that ends after some seconds. */
function tokenOf(claims, seconds = 60) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp, ...claims })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

async function use(page, token) {
  const details = page.locator('#token-details');
  if (!await details.evaluate(element => element.open)) await details.locator('summary').click();
  await page.locator('#token').fill(token);
  await page.getByRole('button', { name: 'Use', exact: true }).click();
}

/** A step on the page of a server that wants tokens; refused requests stand in the console. */
const onGuarded = step => withServer(CONFIGURATION, url => onPage(async (page, complaints) => {
  await step(page, url);
  const others = complaints.filter(text => !/40[13]|WebSocket connection/.test(text));
  complaints.splice(0, complaints.length, ...others);
}, url));

test('token: without one the page says what it needs', () => onGuarded(async page => {
  await reads(page, '#watch[data-state=failed]', 'they want a token');
  await reads(page, '#token-said', 'right to subscribe to #');
  await subscribe(page, 'news');
  await reads(page, '#arrivals .fault .what', 'news');
  await reads(page, '#subscriptions td', 'refused');
}));

test('token: one with rights to all shows figures, subscribes and publishes, also after a reload', () => onGuarded(async page => {
  await use(page, tokenOf({ subscribe: '#', publish: 'news' }));
  await reads(page, '#watch[data-state=open]', 'live');
  await page.reload();
  await reads(page, '#watch[data-state=open]', 'live');
  equal(await page.locator('#token-said').textContent(), '', 'complaints');
  await page.locator('#publish-topic').fill('news');
  await subscribe(page, 'news');
  await reads(page, '#subscriptions td', 'subscribed');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await reads(page, '#arrivals .received .what', 'Hello, wsring');
  await page.locator('#publish-topic').fill('olds');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await reads(page, '#publish-said[data-state=failed]', 'may not publish');
  await reads(page, '.snippet code', '$TOKEN');
  const programs = await page.locator('#snippets').textContent();
  equal(programs.includes('eyJ'), false, 'the token stands in a program');
  await page.locator('#raw').getByRole('button', { name: 'Connect', exact: true }).click();
  await page.locator('#state[data-state=open]').waitFor();
}));

test('token: an API key, which no subprotocol can carry', () => onGuarded(async page => {
  await use(page, KEY);
  await reads(page, '#watch[data-state=open]', 'live');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await reads(page, '#publish-said[data-state=open]', 'offset 0, to 0 subscribers');
}));

test('token: a wrong one is refused with the reason, a better one taken', () => onGuarded(async page => {
  await use(page, `${tokenOf({ subscribe: '#' })}x`);
  await reads(page, '#token-said', 'The server says');
  await subscribe(page, 'news');
  await reads(page, '#feed-state[data-state=refused]', 'refused: ');
  await subscribe(page, 'news');
  await reads(page, '#feed-state[data-state=refused]', 'refused: ');
  equal(await page.locator('#subscriptions tbody tr').count(), 1, 'subscriptions');
  await use(page, tokenOf({ subscribe: 'news' }));
  await reads(page, '#subscriptions td', 'subscribed');
  await reads(page, '#watch[data-state=failed]', 'they want a token');
}));

test('token: one that ends closes the connection, and the page says so', () => onGuarded(async page => {
  // Clocks may differ by 5 s, which the server allows for.
  await use(page, tokenOf({ subscribe: 'news' }, -3));
  await subscribe(page, 'news');
  await reads(page, '#subscriptions td', 'subscribed');
  await reads(page, '#feed-state[data-state=refused]', 'the token has expired');
  await use(page, tokenOf({ subscribe: 'news' }));
  await reads(page, '#feed-state[data-state=open]', 'connected');
}));
