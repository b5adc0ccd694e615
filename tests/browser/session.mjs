// What all tests use: the arguments, the browser, and steps on a fresh copy of a page.

import { mkdirSync, rmSync } from 'node:fs';
import { argument, equal, runAll } from '../clients/tap.mjs';
import { startChromium } from './chromium.mjs';

export const server = argument('url');
export const testee = argument('testee');
export const program = argument('server');
export const screenshots = argument('screenshots');
if (!server || !testee || !program) {
  console.error('usage: node browser.mjs --url http://HOST:PORT --testee http://HOST:PORT --server PROGRAM [--screenshots DIR]');
  process.exit(2);
}
if (screenshots) mkdirSync(screenshots, { recursive: true });
const { context, profile } = await startChromium({ viewport: { width: 1100, height: 1000 } });

export { context, profile };
export const ws = base => base.replace('http', 'ws');

/** Runs a step on a fresh copy of a server's page, and fails when the page complained in the console. */
export async function onPage(step, url = server) {
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', error => complaints.push(error.message));
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
  try {
    await page.goto(url);
    await step(page, complaints);
    equal(complaints, [], 'what the page complained about');
  } finally {
    await page.close();
  }
}

/** Waits until an element's text fits, and gives it. */
export async function reads(page, selector, pattern) {
  const found = page.locator(selector, { hasText: pattern }).first();
  try {
    await found.waitFor({ state: 'attached', timeout: 10_000 });
  } catch {
    const texts = await page.locator(selector).allTextContents();
    throw new Error(`${selector} never read ${pattern} but ${JSON.stringify(texts).slice(0, 200)}`);
  }
  return found.textContent();
}

/** Runs all tests and ends the browser. */
export async function finish() {
  try {
    await runAll();
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}
