// Asks the server for its figures once a second and hands them to tiles, plots and tables.

import { byId, show } from './dom.js';
import { parse, sum } from './openmetrics.js';
import { Plots } from './plots.js';
import { Rates } from './rates.js';
import { Tables } from './tables.js';
import { showTiles } from './tiles.js';
import { ask, onToken, refusal, sayRefused } from './token.js';

const PERIOD_MS = 1000;
const PATIENCE_MS = 5000;

const rates = new Rates();
const plots = new Plots(byId('plots'));
const tables = new Tables();
let timer;

/** Begins; it never ends, but waits for another token while the server refuses this one. */
export function watch() {
  onToken(look);
  look();
}

async function look() {
  const begun = performance.now();
  const goesOn = await looked();
  // Another look may have been under way, with another token: one of them goes on.
  clearTimeout(timer);
  if (goesOn) timer = setTimeout(look, Math.max(0, begun + PERIOD_MS - performance.now()));
}

/** Whether it is worth to look again. */
async function looked() {
  try {
    const response = await ask('metrics', { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.status === 401 || response.status === 403) {
      refused(await refusal(response));
      return false;
    }
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    rates.take(parse(await response.text()), performance.now());
    sayRefused('');
    showTiles(rates);
    plots.take(rates);
    await tables.take(rates);
    const { io, version } = rates.samples.get('wsring_build_info')?.[0].labels ?? {};
    byId('version').textContent = `${version}, ${io}`;
    const behind = sum(rates.samples, 'wsring_subscriptions_behind');
    show(byId('watch'), 'open', behind ? 'live; some subscribers are behind' : 'live');
  } catch (error) {
    show(byId('watch'), 'failed', `no figures: ${error.message}; asking on`);
    plots.pause();
  }
  return true;
}

function refused(why) {
  show(byId('watch'), 'failed', 'no figures: they want a token');
  sayRefused(`The figures are for an API key, or a token with the right to subscribe to #. The server says: ${why}.`);
  plots.pause();
}
