// Publishes many messages at a rate, so that rates and lag can be watched.

import { byId, say } from './dom.js';

const TICK_MS = 20;
// More than this waits in the browser: the server or the network is not as fast as the rate that was asked for.
const UNSENT_BYTES_MAX = 1 << 20;
const FILLER = '0123456789abcdefghijklmnopqrstuvwxyz';

/** Publishes by `feed`; tells `answered(topic, answer, sentAt)` of each answer. */
export class Flood {
  #feed;
  #answered;
  #timer;

  constructor(feed, answered) {
    this.#feed = feed;
    this.#answered = answered;
  }

  get runs() {
    return this.#timer !== undefined;
  }

  start({ topic, messages, bytes, rate }) {
    this.stop();
    const run = { topic, messages, bytes, rate, sent: 0, published: 0, failed: 0, fault: '', held: false, begun: performance.now() };
    this.#timer = setInterval(() => this.#tick(run), TICK_MS);
    byId('flood-start').textContent = 'Stop';
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    byId('flood-start').textContent = 'Publish many';
  }

  #tick(run) {
    // A timer comes late now and then: what is due counts, not how often it came.
    const elapsed = performance.now() - run.begun;
    const due = Math.min(run.messages, Math.floor(run.rate * elapsed / 1000) + 1);
    run.held = false;
    while (run.sent < due && !run.held) {
      run.held = this.#feed.state !== 'open' || this.#feed.unsentBytes > UNSENT_BYTES_MAX;
      if (run.held) this.#hold(run);
      else this.#publish(run);
    }
    if (run.sent === run.messages) this.stop();
    this.#say(run);
  }

  #publish(run) {
    run.sent += 1;
    this.#feed.publish(run.topic, JSON.stringify(filled(run.sent, run.bytes)), (answer, sentAt) => {
      if (answer.ok) run.published += 1;
      else Object.assign(run, { failed: run.failed + 1, fault: answer.error.message });
      this.#answered(run.topic, answer, sentAt);
      this.#say(run);
    });
  }

  /** What could not be sent in time is not made up for in a burst. */
  #hold(run) {
    if (this.#feed.state === 'idle') this.#feed.connect();
    run.begun = performance.now() - run.sent / run.rate * 1000;
    if (this.#feed.state === 'refused') this.stop();
  }

  #say(run) {
    const fault = run.failed ? `; ${run.failed.toLocaleString('en')} failed: ${run.fault}` : '';
    const held = run.held ? '; waiting for the connection' : '';
    say(byId('flood-said'), `${run.published.toLocaleString('en')} of ${run.messages.toLocaleString('en')} published${fault}${held}`);
  }
}

/** A text of so many bytes as JSON, its quotes included, that begins with a number. */
function filled(number, bytes) {
  const front = `${number} `;
  return (front + FILLER.repeat(Math.ceil(bytes / FILLER.length))).slice(0, Math.max(front.length, bytes - 2));
}
