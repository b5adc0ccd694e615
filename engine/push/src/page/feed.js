// Many topics on one WebSocket, wsring.v1: subscribes, publishes, and after a loss goes on where it was.
// Knows nothing of the document.

import { ask, refusal, socketUrl, withToken } from './token.js';

const PROTOCOL = 'wsring.v1';
const BACKOFF_MS = 250;
const BACKOFF_MS_MAX = 10_000;
const PATIENCE_MS = 5000;
const QUEUED_MAX = 1000;
const POLICY_VIOLATION = 1008;
const DROPPED = 4000;

/**
 * Calls `changed()` when its state or a subscription is another, `message({ topic, offset, data, bytes, at })`,
 * `gap(topic, gap)`, and `note(text, kind)` for people to read.
 */
export class Feed {
  /** `idle`, `connecting`, `open`, `waiting` (for the next attempt) or `refused`, and words to it. */
  state = 'idle';
  words = 'not connected';
  /** By topic or pattern: { topic, isPattern, state, begin, epoch, next, arrived, missed }. */
  subscriptions = new Map();

  #listener;
  #socket = null;
  #answers = new Map(); // id -> what to call with the answer
  #queue = []; // commands that wait for a connection: { send, lost }
  #attempts = 0;
  #timer;
  #id = 0;

  constructor(listener) {
    this.#listener = listener;
  }

  /** Subscribes, now or when there is a connection; `begin` is {}, { history } or { from }. */
  subscribe(topic, begin) {
    const isPattern = topic.split('/').some(level => level === '+' || level === '#');
    const known = this.subscriptions.get(topic);
    if (known && known.state !== 'refused') {
      this.#listener.note(`${topic} is subscribed already`, 'note');
      return this.connect();
    }
    const subscription = { topic, isPattern, begin, state: 'asked', epoch: null, next: null, arrived: 0, missed: 0 };
    this.subscriptions.set(topic, subscription);
    if (this.state === 'open') this.#ask(subscription);
    else this.connect();
    this.#listener.changed();
  }

  unsubscribe(topic) {
    this.subscriptions.delete(topic);
    if (this.state === 'open') this.#command('unsubscribe', `"topic":${JSON.stringify(topic)}`, () => {});
    this.#listener.changed();
  }

  /**
   * Publishes JSON as it is written, and calls `answered` with { ok } or { error } and when it was sent. Without a
   * connection it waits for one, unless this server has refused.
   */
  publish(topic, json, answered) {
    this.#command('publish', `"topic":${JSON.stringify(topic)},"data":${json}`, answered, answered);
  }

  /** Whether messages of a topic arrive, by its own name or a pattern. */
  follows(topic) {
    const fits = ({ topic: name, isPattern, state }) => state === 'live' && (isPattern ? standsFor(name, topic) : name === topic);
    return [...this.subscriptions.values()].some(fits);
  }

  /** Bytes that the browser has not sent yet. */
  get unsentBytes() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Connects unless it is, or is about to. */
  connect() {
    if (this.state === 'open' || this.state === 'connecting') return;
    clearTimeout(this.#timer);
    this.#become('connecting', 'connecting');
    let socket;
    try {
      socket = new WebSocket(...withToken(socketUrl('ws'), [PROTOCOL]));
    } catch (error) {
      return this.#become('refused', error.message);
    }
    this.#socket = socket;
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      if (this.#socket === socket) this.#opened();
    };
    // What still comes from a connection that was left is asked for again by the next.
    socket.onmessage = ({ data }) => this.#socket === socket && this.#message(data, performance.now());
    socket.onclose = event => this.#socket === socket && this.#closed(event, wasOpen);
  }

  /** Loses the connection, as a network would; it comes back by itself. */
  drop() {
    const socket = this.#socket;
    this.#closed({ code: DROPPED, reason: 'dropped by this page' }, true);
    socket.close(DROPPED);
  }

  /** Leaves, for good. */
  leave() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    this.subscriptions.clear();
    for (const { lost } of this.#queue.splice(0)) lost?.({ error: { message: 'not published' } });
    this.#forget();
    this.#become('idle', 'not connected');
  }

  /** Another token: whatever was refused may be allowed now. */
  renew() {
    if (this.state === 'idle') return;
    for (const subscription of this.subscriptions.values()) {
      if (subscription.state === 'refused') subscription.state = 'asked';
    }
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    this.#forget();
    this.#attempts = 0;
    this.#become('waiting', 'connecting with the new token');
    this.connect();
  }

  #opened() {
    this.#become('open', `connected, ${PROTOCOL}`);
    for (const subscription of this.subscriptions.values()) {
      if (subscription.state !== 'refused') this.#ask(subscription);
    }
    for (const { send } of this.#queue.splice(0)) send();
  }

  #closed(event, wasOpen) {
    this.#socket = null;
    this.#forget();
    const how = `${event.code}${event.reason ? ` \u201c${event.reason}\u201d` : ''}`;
    if (wasOpen) this.#listener.note(`the connection ended: ${how}`, 'fault');
    // That may be a token that has ended, or a sleep through a Ping: the one comes back, the other does not.
    if (wasOpen && event.code !== POLICY_VIOLATION) return this.#again();
    this.#become('waiting', 'no connection; asking why');
    return this.#whyRefused();
  }

  /** Tries again, later each time, and never at the same time as everybody else. */
  #again() {
    const most = Math.min(BACKOFF_MS * 2 ** this.#attempts++, BACKOFF_MS_MAX);
    const wait = most * (0.5 + Math.random() / 2);
    this.#become('waiting', `connection lost; again in ${(wait / 1000).toFixed(1)} s`);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), wait);
  }

  /** A browser does not tell why a handshake failed; an empty batch is refused for the same reasons, origin included. */
  async #whyRefused() {
    try {
      const response = await ask('publish', { method: 'POST', body: '[]', signal: AbortSignal.timeout(PATIENCE_MS) });
      if ((response.status === 401 || response.status === 403) && this.state === 'waiting') {
        return this.#become('refused', `refused: ${await refusal(response)}`);
      }
    } catch {
      // Nobody answers: that is no refusal.
    }
    return this.state === 'waiting' && this.#again();
  }

  /** Sends a subscription; one that has got something before goes on behind it. */
  #ask(subscription) {
    const { topic, isPattern, epoch, next, begin } = subscription;
    const resumes = next !== null;
    if (isPattern && subscription.state === 'live') {
      this.#listener.note(`${topic} is a pattern: what was published meanwhile did not arrive`, 'gap');
    }
    const from = resumes ? { from: next, epoch } : isPattern ? {} : begin;
    const members = JSON.stringify({ topic, ...from }).slice(1, -1);
    this.#command('subscribe', members, ({ ok, error }) => {
      if (error) {
        Object.assign(subscription, { state: 'refused' });
        this.#listener.note(`${topic}: ${error.message}`, 'fault');
      } else {
        this.#attempts = 0;
        Object.assign(subscription, { state: 'live', epoch: ok.epoch ?? null, next: ok.next ?? null });
        const where = ok.next === undefined ? '' : `, next is ${ok.next}`;
        this.#listener.note(`${resumes ? 'resumed' : 'subscribed to'} ${topic}${where}`, 'note');
        if (ok.gap) this.#gap(topic, ok.gap);
      }
      this.#listener.changed();
    });
  }

  /** Sends a command; `answered` gets the answer, `lost` is told when there will be none. */
  #command(command, members, answered, lost) {
    const send = () => {
      const id = ++this.#id;
      this.#answers.set(id, { answered, lost, sentAt: performance.now() });
      this.#socket.send(`{"id":${id},"command":"${command}",${members}}`);
    };
    if (this.state === 'open' && this.#socket.readyState === WebSocket.OPEN) return send();
    if (this.#queue.length >= QUEUED_MAX) return answered({ error: { message: 'too much waits for the connection' } });
    this.#queue.push({ send, lost });
    return this.state !== 'waiting' && this.connect();
  }

  #message(text, at) {
    const message = JSON.parse(text);
    if ('id' in message) {
      const asked = this.#answers.get(message.id);
      this.#answers.delete(message.id);
      if (asked) asked.answered(message, asked.sentAt);
      else this.#listener.note(message.error?.message ?? text, 'fault');
    } else if (message.gap) {
      this.#gap(message.topic, message.gap);
    } else {
      this.#count(message);
      this.#listener.message({ ...message, data: dataOf(text, message), bytes: text.length, at });
    }
  }

  /** A message says its topic, not which subscription brought it: the topic's own, unless that has had it. */
  #count({ topic, offset }) {
    const own = this.subscriptions.get(topic);
    if (own?.state === 'live' && offset >= own.next) {
      own.next = offset + 1;
      own.arrived += 1;
      return;
    }
    for (const subscription of this.subscriptions.values()) {
      if (subscription.isPattern && standsFor(subscription.topic, topic)) {
        subscription.arrived += 1;
        return;
      }
    }
  }

  #gap(topic, gap) {
    const subscription = this.subscriptions.get(topic);
    if (subscription) {
      subscription.missed += gap.missed ?? 0;
      if (!subscription.isPattern && subscription.next < gap.to && gap.reason !== 'epoch') subscription.next = gap.to;
    }
    this.#listener.gap(topic, gap);
    this.#listener.changed();
  }

  /** Forgets what was asked: the answers will not come. */
  #forget() {
    const unanswered = [...this.#answers.values()];
    this.#answers.clear();
    const error = { code: 'lost', message: 'the connection ended before the answer: it may be published or not' };
    for (const { lost } of unanswered) lost?.({ error });
  }

  #become(state, words) {
    Object.assign(this, { state, words });
    this.#listener.changed();
  }
}

/** The payload as it was published, digits and all; of a string what it says. */
function dataOf(text, { data, data_base64: base64, offset }) {
  if (base64 !== undefined) return `base64 ${base64}`;
  if (typeof data === 'string') return data;
  const front = `,"offset":${offset},"data":`;
  return text.slice(text.indexOf(front) + front.length, -1);
}

/** Whether a pattern stands for a topic. */
export function standsFor(pattern, topic) {
  const levels = topic.split('/');
  const wanted = pattern.split('/');
  if (wanted.at(-1) === '#') {
    wanted.pop();
    return wanted.length <= levels.length && wanted.every((level, at) => level === '+' || level === levels[at]);
  }
  return wanted.length === levels.length && wanted.every((level, at) => level === '+' || level === levels[at]);
}
