// The list of what arrived, newest first: filled some times a second, however much arrives.

import { byId, make, seldom, say } from './dom.js';
import * as words from './words.js';

const ROWS_MAX = 100;

const list = byId('arrivals');
let waiting = [];
const draw = seldom(() => {
  const rows = waiting.slice(-ROWS_MAX).reverse();
  waiting = [];
  list.prepend(...rows.map(rowOf));
  while (list.childElementCount > ROWS_MAX) list.lastElementChild.remove();
});

/** Adds a message; what is returned takes its lag when that is known. */
export function addMessage({ topic, offset, data, bytes }) {
  const entry = { kind: 'received', topic, mark: `#${offset}`, size: words.bytes(bytes), text: words.shortened(data) };
  add(entry);
  return lag => {
    entry.lag = words.milliseconds(lag);
    if (entry.place) say(entry.place, entry.lag);
  };
}

/** Adds a notice that messages are missing. */
export function addGap(topic, { from, to, missed, reason }) {
  const how = missed === null ? 'Messages may be missing' : `${missed.toLocaleString('en')} missed`;
  add({ kind: 'gap', topic, mark: 'gap', text: `${how}: ${from} to ${to - 1}, ${REASONS[reason] ?? reason}` });
}

/** Adds a line for people: `note` or `fault`. */
export function addNote(text, kind) {
  add({ kind, topic: '', mark: '', text });
}

export function clearArrivals() {
  waiting = [];
  list.replaceChildren();
}

const REASONS = {
  retention: 'not kept any more',
  epoch: 'the topic has begun anew',
  skip: 'this page was too slow: skipped to the oldest kept',
  latest: 'this page was too slow: went on at the latest',
};

function add(entry) {
  entry.time = words.timeOfDay(new Date());
  waiting.push(entry);
  // What would not stay in the list need not come into it.
  if (waiting.length > 2 * ROWS_MAX) waiting = waiting.slice(-ROWS_MAX);
  draw();
}

function rowOf(entry) {
  const item = make('li', '', { class: entry.kind });
  const lag = make('span', entry.lag ?? '', { class: 'trip' });
  entry.place = lag;
  item.append(
    make('span', entry.time, { class: 'time' }),
    make('span', entry.topic, { class: 'topic' }),
    make('span', entry.mark, { class: 'mark' }),
    make('span', entry.size ?? '', { class: 'size' }),
    lag,
    make('span', entry.text, { class: 'what' }),
  );
  return item;
}
