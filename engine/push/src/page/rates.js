// What happens per second, from two looks at counters that only rise.

import { buckets, quantile, sum } from './openmetrics.js';

// Turns are sampled, so that a single second of a quiet server has none of them.
const TURN_SECONDS = 10;
const LOOKS_MAX = 64;

/** The latest looks at a server's samples. */
export class Rates {
  #looks = []; // { samples, at }, oldest first

  /** Takes in another look; `at` is in milliseconds. */
  take(samples, at) {
    const last = this.#looks.at(-1);
    // Counters that fell are those of another process.
    if (last && sum(samples, 'wsring_turns_total') < sum(last.samples, 'wsring_turns_total')) this.#looks = [];
    this.#looks.push({ samples, at });
    const kept = at - 1.5 * TURN_SECONDS * 1000;
    while (this.#looks.length > LOOKS_MAX || (this.#looks.length > 2 && this.#looks[1].at < kept)) this.#looks.shift();
  }

  get samples() {
    return this.#looks.at(-1).samples;
  }

  /** What a counter rose by per second since the look before; NaN at the first. */
  perSecond(name, labels) {
    const [before, now] = this.#looks.slice(-2);
    return now ? (sum(now.samples, name, labels) - sum(before.samples, name, labels)) / ((now.at - before.at) / 1000) : NaN;
  }

  /** What a counter rose by in the last seconds. */
  lately(name, labels) {
    const before = this.#before();
    return sum(this.samples, name, labels) - sum(before.samples, name, labels);
  }

  /** The length that this share of the last seconds' turns did not exceed. */
  turn(q) {
    const name = 'wsring_turn_seconds';
    return quantile(buckets(this.#before().samples, name), buckets(this.samples, name), q);
  }

  #before() {
    const since = this.#looks.at(-1).at - TURN_SECONDS * 1000;
    return this.#looks.find(({ at }) => at >= since);
  }
}
