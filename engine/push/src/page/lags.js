// How long messages take from here to here: from the publish command to their arrival.

const WAITING_MAX = 20_000;
const KEPT_MAX = 1000;

export class Lags {
  #published = new Map(); // topic and offset -> when it was sent
  #arrived = new Map(); // topic and offset -> what to call with the lag
  #latest = [];
  #next = 0;

  /** The answer to a publish: its offset is known now. */
  published(topic, offset, sentAt) {
    this.#meet(this.#published, this.#arrived, key(topic, offset), sentAt);
  }

  /** A message arrived; `known` is called with its lag once both are there, or never. */
  arrived(topic, offset, at, known) {
    this.#meet(this.#arrived, this.#published, key(topic, offset), { at, known });
  }

  /** Of those that were measured last, this share was not slower; NaN without any. */
  quantile(q) {
    const sorted = [...this.#latest].sort((a, b) => a - b);
    return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : NaN;
  }

  get measured() {
    return this.#next;
  }

  clear() {
    this.#latest = [];
    this.#next = 0;
  }

  /** An answer and an arrival come in either order. */
  #meet(own, other, key, value) {
    if (!other.has(key)) {
      own.set(key, value);
      if (own.size > WAITING_MAX) own.delete(own.keys().next().value);
      return;
    }
    const found = other.get(key);
    other.delete(key);
    const [sentAt, { at, known }] = own === this.#published ? [value, found] : [found, value];
    this.#latest[this.#next++ % KEPT_MAX] = at - sentAt;
    known(at - sentAt);
  }
}

const key = (topic, offset) => `${offset} ${topic}`;
