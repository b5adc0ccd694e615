// The plain WebSocket: any URL, text and binary, round trips of what comes back equal.

import { byId, make, show } from './dom.js';
import { compose, preview, same } from './payload.js';
import { socketUrl, withToken } from './token.js';
import { milliseconds, sizeOf, timeOfDay } from './words.js';

const LOG_ROWS_MAX = 500;
const TRIPS_MAX = 1000;
const UNANSWERED_MAX = 100;

/** The connection, or null; one at a time. */
let socket = null;
/** What was sent and has not come back yet, oldest first: { payload, at }. */
let unanswered = [];
let trips = [];
let counts = { sentMessages: 0, sentBytes: 0, receivedMessages: 0, receivedBytes: 0 };

byId('url').value = socketUrl('echo').href;
byId('connect').addEventListener('submit', event => { event.preventDefault(); connect(); });
byId('send').addEventListener('submit', event => { event.preventDefault(); send(); });
byId('close').addEventListener('submit', event => { event.preventDefault(); disconnect(); });
byId('kind').addEventListener('change', showFields);
byId('clear').addEventListener('click', clear);
byId('content').addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) byId('send').requestSubmit();
});
for (const button of document.querySelectorAll('[data-path]')) {
  button.addEventListener('click', () => {
    byId('url').value = socketUrl(button.dataset.path).href;
    byId('open').focus();
  });
}
showFields(); // a reloaded page keeps what was chosen

function connect() {
  const url = byId('url').value.trim();
  const protocols = byId('protocols').value.split(',').map(name => name.trim()).filter(Boolean);
  let opening;
  try {
    opening = new WebSocket(...withToken(url, protocols));
  } catch (error) {
    return become('failed', error.message);
  }
  socket = opening;
  unanswered = [];
  opening.binaryType = 'arraybuffer';
  become('connecting', `connecting to ${url}`);
  let wasOpen = false;
  opening.onopen = () => {
    wasOpen = true;
    const protocol = opening.protocol ? `, subprotocol ${opening.protocol}` : '';
    become('open', `connected to ${url}${protocol}`);
    note(`connected${protocol}`);
    byId('content').focus();
  };
  opening.onmessage = event => receive(event.data);
  opening.onclose = event => closed(event, wasOpen);
  return undefined;
}

function closed(event, wasOpen) {
  socket = null;
  const how = `code ${event.code}${event.reason ? `, reason \u201c${event.reason}\u201d` : ''}`;
  if (!wasOpen) {
    become('failed', `could not connect (${how}): the server refused, or nothing listens there`);
  } else if (event.wasClean) {
    become('closed', `closed with ${how}`);
  } else {
    become('failed', `connection lost (${how})`);
  }
  note(byId('state').textContent, wasOpen && event.wasClean ? 'note' : 'fault');
}

function disconnect() {
  try {
    socket.close(byId('code').valueAsNumber, byId('reason').value);
    become('closing', 'waiting for the server to close');
  } catch (error) {
    note(error.message, 'fault'); // a page may close with 1000 and 3000 to 4999 only
  }
}

function send() {
  let payload;
  try {
    payload = compose(byId('kind').value, byId('content').value, byId('bytes').valueAsNumber || 0);
  } catch (error) {
    return note(error.message, 'fault');
  }
  unanswered.push({ payload, at: performance.now() });
  if (unanswered.length > UNANSWERED_MAX) unanswered.shift(); // a path that does not echo
  socket.send(payload);
  counts.sentMessages += 1;
  counts.sentBytes += sizeOf(payload);
  return row('sent', payload, '');
}

function receive(payload) {
  const at = performance.now();
  counts.receivedMessages += 1;
  counts.receivedBytes += sizeOf(payload);
  row('received', payload, tripOf(payload, at));
}

/** The round trip of an echo: only where the bytes are those that were sent longest ago. */
function tripOf(payload, at) {
  if (!unanswered.length || !same(unanswered[0].payload, payload)) return '';
  const trip = at - unanswered.shift().at;
  trips.push(trip);
  if (trips.length > TRIPS_MAX) trips.shift();
  return milliseconds(trip);
}

function row(kind, payload, trip) {
  const unit = typeof payload === 'string' ? 'text' : 'binary';
  line(kind, kind === 'sent' ? '\u2191' : '\u2193', `${sizeOf(payload).toLocaleString('en')} B`, trip, preview(payload), unit);
  byId('sent-messages').textContent = counts.sentMessages.toLocaleString('en');
  byId('sent-bytes').textContent = counts.sentBytes.toLocaleString('en');
  byId('received-messages').textContent = counts.receivedMessages.toLocaleString('en');
  byId('received-bytes').textContent = counts.receivedBytes.toLocaleString('en');
  const sorted = [...trips].sort((a, b) => a - b);
  byId('trip-median').textContent = sorted.length ? milliseconds(sorted[sorted.length >> 1]) : '\u2013';
}

function note(text, kind = 'note') {
  line(kind, '\u00b7', '', '', text, '');
}

function line(kind, way, size, trip, text, title) {
  const item = make('li', '', { class: kind, title });
  const parts = { time: timeOfDay(new Date()), way, size, trip, what: text };
  for (const [name, content] of Object.entries(parts)) item.append(make('span', content, { class: name }));
  byId('log').prepend(item);
  if (byId('log').childElementCount > LOG_ROWS_MAX) byId('log').lastElementChild.remove();
}

function clear() {
  trips = [];
  counts = { sentMessages: 0, sentBytes: 0, receivedMessages: 0, receivedBytes: 0 };
  byId('log').replaceChildren();
  for (const id of ['sent-messages', 'sent-bytes', 'received-messages', 'received-bytes']) byId(id).textContent = '0';
  byId('trip-median').textContent = '\u2013';
}

function become(state, text) {
  show(byId('state'), state, text);
  byId('open').disabled = ['connecting', 'open', 'closing'].includes(state);
  byId('send').querySelector('button').disabled = state !== 'open';
  byId('close').querySelector('button').disabled = !['connecting', 'open'].includes(state);
}

function showFields() {
  const random = byId('kind').value.startsWith('random');
  byId('content-field').hidden = random;
  byId('bytes-field').hidden = !random;
}
