// The page's client of topics: subscribes, publishes, and loses nothing when the connection ends.

import { equal, test } from '../clients/tap.mjs';
import { publish, withServer } from './own.mjs';
import { onPage, reads, server } from './session.mjs';

let topics = 0;

/** A name that no other test has used. */
const freshTopic = () => `browser/${process.pid}/${++topics}`;

export async function subscribe(page, topic, begin = 'next', at = 0) {
  await page.getByLabel('Subscribe to topic').fill(topic);
  await page.getByLabel('Begin with').selectOption(begin);
  if (begin !== 'next') await page.locator('#begin-at').fill(String(at));
  await page.getByRole('button', { name: 'Subscribe', exact: true }).click();
}

/** The row of a subscription, as a map from the column's title. */
async function subscription(page, topic) {
  const row = page.locator('#subscriptions tbody tr').filter({ has: page.locator(`td:text-is("${topic}")`) });
  const [name, state, next, arrived, missed] = await row.locator('td').allTextContents();
  return { name, state, next: Number(next.replace(',', '')), arrived: Number(arrived.replace(',', '')), missed };
}

async function publishByForm(page, topic, text, kind = 'text') {
  await page.getByLabel('Publish to topic').fill(topic);
  await page.getByRole('combobox', { name: 'As' }).selectOption(kind);
  await page.getByLabel('Message; Ctrl+Enter publishes').fill(text);
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
}

const offsets = async page => (await page.locator('#arrivals .received .mark').allTextContents())
  .map(text => Number(text.slice(1))).reverse();

test('topics: what is published arrives with offset and lag', () => onPage(async page => {
  const topic = freshTopic();
  await subscribe(page, topic);
  await reads(page, '#feed-state[data-state=open]', 'wsring.v1');
  await reads(page, '#arrivals .note .what', `subscribed to ${topic}, next is 0`);
  await publishByForm(page, topic, 'h\u00e9llo \u{1F600}');
  await reads(page, '#arrivals .received .what', /^h\u00e9llo \u{1F600}$/u);
  await reads(page, '#arrivals .received .trip', / ms$/);
  await reads(page, '#publish-said', 'offset 0, to 1 subscriber');
  await reads(page, '#lag', 'median');
  await publishByForm(page, topic, '{"n": 1.50, "big": 12345678901234567890}', 'json');
  await reads(page, '#arrivals .received .what', '{"n": 1.50, "big": 12345678901234567890}');
  await publishByForm(page, topic, '{"n": ', 'json');
  await reads(page, '#publish-said[data-state=failed]', 'not JSON');
  equal(await subscription(page, topic), { name: topic, state: 'subscribed', next: 2, arrived: 2, missed: '0' }, 'the subscription');
}));

test('topics: by the keyboard alone', () => onPage(async page => {
  const topic = freshTopic();
  await page.getByLabel('Subscribe to topic').fill('');
  await page.keyboard.type(topic);
  await page.keyboard.press('Enter');
  await reads(page, '#subscriptions td', 'subscribed');
  equal(await page.getByLabel('Publish to topic').inputValue(), topic, 'the topic to publish to follows');
  await page.getByLabel('Message; Ctrl+Enter publishes').focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.type('typed');
  await page.keyboard.press('Control+Enter');
  await reads(page, '#arrivals .received .what', 'typed');
  await page.getByRole('button', { name: `Unsubscribe from ${topic}` }).press('Enter');
  await page.locator('#subscriptions tbody tr').waitFor({ state: 'detached' });
  await publish(server, topic, 'unheard');
  equal(await page.locator('#arrivals .received').count(), 1, 'messages that arrived');
}));

test('topics: history, an offset, a pattern, other publishers, binary', () => onPage(async page => {
  const topic = freshTopic();
  for (const text of ['a', 'b', 'c']) await publish(server, topic, text);
  await publishByForm(page, topic, 'd');
  await reads(page, '#publish-said', 'offset 3, to 0 subscribers');
  await subscribe(page, topic, 'history', 2);
  await reads(page, '#arrivals .received .what', /^d$/);
  equal(await offsets(page), [2, 3], 'offsets of the history');
  equal(await page.locator('#arrivals .received .trip').allTextContents(), ['', ''], 'lag of history');
  await page.getByRole('button', { name: `Unsubscribe from ${topic}` }).click();
  await page.locator('#arrivals-clear').click();
  await subscribe(page, topic, 'from', 1);
  await reads(page, '#arrivals .received .what', /^d$/);
  equal(await offsets(page), [1, 2, 3], 'offsets from 1');
  await subscribe(page, `browser/${process.pid}/+/x`);
  await reads(page, '#arrivals .note .what', '/+/x');
  await fetch(`${server}/topics/${topic}/x`,
    { method: 'POST', body: new Uint8Array([0, 255]), headers: { 'Content-Type': 'application/octet-stream' } });
  await reads(page, '#arrivals .received .topic', `${topic}/x`);
  await reads(page, '#arrivals .received .what', 'base64 AP8=');
  equal((await subscription(page, `browser/${process.pid}/+/x`)).arrived, 1, 'messages by the pattern');
}));

test('topics: refusals are told', () => onPage(async page => {
  await subscribe(page, 'a//b');
  await reads(page, '#arrivals .fault .what', 'a//b');
  await reads(page, '#subscriptions td', 'refused');
  await publishByForm(page, 'a/+', 'x');
  await reads(page, '#publish-said[data-state=failed]', 'a/+');
}));

test('topics: a dropped connection comes back and misses nothing', () => onPage(async page => {
  const topic = freshTopic();
  await subscribe(page, topic);
  await reads(page, '#subscriptions td', 'subscribed');
  await publish(server, topic, 'before');
  await reads(page, '#arrivals .received .what', 'before');
  await page.getByRole('button', { name: 'Drop the connection' }).click();
  await publish(server, topic, 'meanwhile');
  await publish(server, topic, 'meanwhile 2');
  await reads(page, '#arrivals .note .what', `resumed ${topic}, next is 1`);
  await reads(page, '#arrivals .received .what', 'meanwhile 2');
  equal(await offsets(page), [0, 1, 2], 'offsets');
  await page.locator('#leave').click();
  await reads(page, '#feed-state[data-state=idle]', 'not connected');
  equal(await page.locator('#subscriptions tbody tr').count(), 0, 'subscriptions after leaving');
}));

test('topics: the server closes, again and again, and every message arrives once', () =>
  withServer('[timeouts]\nlifetime = "1s"\n', url => onPage(async page => {
    await subscribe(page, 'often');
    await reads(page, '#subscriptions td', 'subscribed');
    for (let number = 0; number < 60; number += 1) {
      await publish(url, 'often', String(number));
      await page.waitForTimeout(50);
    }
    await reads(page, '#arrivals .received .what', /^59$/);
    equal(await offsets(page), Array.from({ length: 60 }, (_, offset) => offset), 'offsets');
    const ends = await page.locator('#arrivals .fault .what', { hasText: 'the connection ended: 1001' }).count();
    if (ends < 2) throw new Error(`the connection ended ${ends} times`);
  }, url)));

test('topics: what is not kept any more is told as a gap', () =>
  withServer('[[topics.rules]]\npattern = "tiny/#"\nretention_messages = 2\n', url => onPage(async page => {
    for (let number = 0; number < 10; number += 1) await publish(url, 'tiny/a', String(number));
    await subscribe(page, 'tiny/a', 'from', 3);
    const gap = await reads(page, '#arrivals .gap .what', 'missed');
    const oldest = (await (await fetch(`${url}/topics/tiny/a`)).json()).oldest;
    equal(gap, `${oldest - 3} missed: 3 to ${oldest - 1}, not kept any more`, 'the notice');
    await reads(page, '#arrivals .received .what', /^9$/);
    equal((await offsets(page))[0], oldest, 'the first that arrived');
    equal((await subscription(page, 'tiny/a')).missed, String(oldest - 3), 'missed');
  }, url)));

test('topics: many at a rate', () => onPage(async page => {
  const topic = freshTopic();
  await subscribe(page, topic);
  await reads(page, '#subscriptions td', 'subscribed');
  await page.locator('#flood-messages').fill('400');
  await page.locator('#flood-bytes').fill('200');
  await page.locator('#flood-rate').fill('200');
  const begun = Date.now();
  await page.getByRole('button', { name: 'Publish many' }).click();
  await reads(page, '#flood-start', 'Stop');
  await reads(page, '#flood-said', '400 of 400 published');
  const seconds = (Date.now() - begun) / 1000;
  if (seconds < 1.9 || seconds > 6) throw new Error(`400 at 200 per second took ${seconds} s`);
  await reads(page, '#flood-start', 'Publish many');
  await reads(page, '#arrivals .received .what', /^400 /);
  equal((await subscription(page, topic)).arrived, 400, 'messages that arrived');
  await reads(page, '#lag', /median [\d.]+ ms, 99th [\d.]+ ms/);
}));
