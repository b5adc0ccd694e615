// The page's figures: tiles, plots and tables show what the server does.

import { connect as dial } from 'node:net';
import { equal, test } from '../clients/tap.mjs';
import { publish, withServer } from './own.mjs';
import { onPage, reads, server } from './session.mjs';
import { subscribe } from './topics.mjs';

/** The value of a tile. */
const tile = (page, title) => page.locator('.tiles > div').filter({ has: page.locator(`dt:text-is("${title}")`) }).locator('.value');

/** A tile's value as a number, once it is as wanted. */
async function becomes(page, title, wanted) {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const value = Number((await tile(page, title).textContent()).replace(',', ''));
    if (wanted(value)) return value;
    if (Date.now() > deadline) throw new Error(`${title} is ${value}`);
    await page.waitForTimeout(100);
  }
}

/** The points of a plot's first line: { at, share } with the share of its scale that is below it. */
async function points(page, title) {
  const line = page.locator('.plot', { hasText: title }).locator('.line-0');
  const drawn = await line.getAttribute('d') ?? '';
  return [...drawn.matchAll(/(\d+) ([\d.]+)/g)].map(([, at, y]) => ({ at: Number(at), share: 1 - y / 100 }));
}

test('figures: they are there within a moment, and move', () => onPage(async page => {
  await reads(page, '#watch[data-state=open]', 'live');
  await reads(page, '#version', 'io_uring');
  await subscribe(page, 'figures');
  await becomes(page, 'Subscriptions', value => value >= 1);
  await becomes(page, 'Connections', value => value >= 2);
  await page.locator('#publish-topic').fill('figures');
  await page.locator('#flood-messages').fill('600');
  await page.locator('#flood-rate').fill('150');
  await page.getByRole('button', { name: 'Publish many' }).click();
  await becomes(page, 'Publishes/s', value => value > 75 && value < 300);
  await becomes(page, 'Deliveries/s', value => value > 75 && value < 300);
  await reads(page, '.tiles .value', /(ms|\u00b5s)$/);
  await becomes(page, 'Completions', value => value > 0);
  equal((await tile(page, 'ENOBUFS').textContent()), '0', 'ENOBUFS');
  for (const title of ['Deliveries per second', 'Publishes per second', 'Connections', 'Bytes sent per second', 'Length of a turn']) {
    const drawn = await points(page, title);
    // One long turn on a busy machine makes all others look short.
    const least = title === 'Length of a turn' ? 0 : 0.05;
    if (drawn.length < 2 || !drawn.some(({ share }) => share > least)) throw new Error(`${title}: ${JSON.stringify(drawn)}`);
    if (drawn.some(({ share }) => share < 0 || share > 1)) throw new Error(`${title} leaves its box`);
  }
  const shards = await page.locator('#shards tbody tr').count();
  const metrics = await (await fetch(`${server}/metrics`)).text();
  equal(shards, metrics.match(/^wsring_connections\{/gm).length, 'rows of shards');
}));

test('figures: a plot tells the value below the pointer', () => onPage(async page => {
  await reads(page, '#watch[data-state=open]', 'live');
  await page.waitForTimeout(2500);
  const plot = page.locator('.plot', { hasText: 'Connections' });
  const box = await plot.locator('svg').boundingBox();
  await page.mouse.move(box.x + box.width - 2, box.y + 20);
  await reads(page, '.plot output', /^\d+ \d s ago$/);
  await page.mouse.move(box.x, box.y - 300);
  await reads(page, '.plot output', /^\d+$/);
}));

test('figures: who does not read is named, and what it missed is counted', () =>
  withServer('peer_addresses = true\n[topics]\nretention_bytes = "512KiB"\n', url => onPage(async page => {
    const { hostname, port } = new URL(url);
    const stalled = dial(Number(port), hostname);
    await new Promise(resolve => stalled.once('connect', resolve));
    stalled.pause();
    stalled.write('GET /topics/stalled HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
      + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n');
    await becomes(page, 'Subscriptions', value => value === 1);
    const text = 'x'.repeat(64 << 10);
    for (let number = 0; number < 250; number += 1) await publish(url, 'stalled', text);
    await becomes(page, 'Behind', value => value === 1);
    await becomes(page, 'Slowest lag', value => value > 0);
    await reads(page, '#slow td', 'stalled');
    await reads(page, '#slow td', '127.0.0.1');
    await reads(page, '.tiles .warns dt', 'Behind');
    await reads(page, '#watch', 'some subscribers are behind');
    stalled.destroy();
    await becomes(page, 'Behind', value => value === 0);
    await reads(page, '#slow-said', 'Nobody is behind.');
  }, url)));

test('figures: a server that is gone is told, and one that is back is seen', () => onPage(async (page, complaints) => {
  await reads(page, '#watch[data-state=open]', 'live');
  await page.route('**/metrics', route => route.abort());
  await reads(page, '#watch[data-state=failed]', 'no figures');
  await page.unroute('**/metrics');
  await reads(page, '#watch[data-state=open]', 'live');
  complaints.length = 0; // Chromium reports failed requests in the console
}));
