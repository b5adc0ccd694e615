// How the page looks: it asks nobody else, fits every width in light and dark, and can be read by everybody.

import { join } from 'node:path';
import { equal, test } from '../clients/tap.mjs';
import { CONTRAST_LEAST, faint } from './contrast.mjs';
import { connect, sendAndCompare, stateBecomes } from './form.mjs';
import { onPage, reads, screenshots, server } from './session.mjs';
import { subscribe } from './topics.mjs';

test('the page asks only this server for anything', () => onPage(async page => {
  const asked = [];
  page.on('request', request => asked.push(new URL(request.url()).origin));
  await page.reload();
  await reads(page, '#watch', 'live');
  equal([...new Set(asked)].filter(origin => origin !== 'null'), [server], 'origins');
}));

test('the page fits every width, in light and dark', () => onPage(async page => {
  await connect(page, { protocols: 'echo' });
  await stateBecomes(page, 'open', '/echo');
  await sendAndCompare(page, 'text', 'Content', 'Hello, wsring');
  await sendAndCompare(page, 'hex', 'Content', 'de ad be ef');
  await sendAndCompare(page, 'random-binary', 'Bytes', '1048576');
  await subscribe(page, 'looks');
  await reads(page, '#subscriptions td', 'subscribed');
  await page.locator('#flood-messages').fill('1200');
  await page.locator('#flood-rate').fill('200');
  await page.getByRole('button', { name: 'Publish many' }).click();
  await reads(page, '#flood-said', '1,200 of 1,200');
  const looks = [['page', 1300, 'light'], ['page-dark', 1300, 'dark'], ['page-middle', 800, 'dark'],
    ['page-phone', 360, 'light'], ['page-phone-dark', 360, 'dark']];
  for (const [name, width, colorScheme] of looks) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 1000 });
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    equal(beyond, 0, `pixels beyond the right edge at a width of ${width}`);
    equal(await page.evaluate(faint, CONTRAST_LEAST), [], `texts that are too faint in ${colorScheme}`);
    if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
  }
}));

test('the page does not move while figures come in', () => onPage(async page => {
  const shift = await page.evaluate(() => new Promise(resolve => {
    let sum = 0;
    new PerformanceObserver(list => {
      for (const entry of list.getEntries()) sum += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
    setTimeout(() => resolve(sum), 4000);
  }));
  if (shift > 0.01) throw new Error(`a layout shift of ${shift}`);
}));

test('every field and button has a name', () => onPage(async page => {
  const nameless = await page.evaluate(() => [...document.querySelectorAll('input, select, textarea, button')]
    .filter(element => !element.labels?.length && !element.textContent.trim() && !element.ariaLabel)
    .map(element => element.outerHTML));
  equal(nameless, [], 'without a name');
}));
