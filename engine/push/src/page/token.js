// The token or API key that goes with everything that the page asks of its server.

import { byId } from './dom.js';

// Of this tab alone, and gone with it.
const KEPT_AS = 'wsring-token';
// What may stand in a subprotocol's name (RFC 9110 section 5.6.2): tokens do, an API key need not.
const SUBPROTOCOL = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** The folder that the page was loaded from: `/`, or what a proxy has put before it. */
export const base = new URL('.', location.href);

let token = sessionStorage.getItem(KEPT_AS) ?? '';
const listeners = [];

byId('token').value = token;
byId('token-details').open = token !== '';
byId('token-form').addEventListener('submit', event => {
  event.preventDefault();
  token = byId('token').value.trim();
  sessionStorage.setItem(KEPT_AS, token);
  sayRefused('');
  for (const changed of listeners) changed();
});

export const hasToken = () => token !== '';

/** Calls back when the person has given another token. */
export function onToken(changed) {
  listeners.push(changed);
}

/** A request to this server; what a proxy or the network does is an error as fetch has it. */
export function ask(path, settings = {}) {
  const headers = { ...settings.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  return fetch(new URL(path, base), { cache: 'no-store', ...settings, headers });
}

/** The URL of a WebSocket of this server. */
export function socketUrl(path) {
  const url = new URL(path, base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}

/** URL and subprotocols of a WebSocket that shows the token, in a subprotocol if it can stand there. */
export function withToken(url, protocols) {
  url = new URL(url);
  if (!token || url.host !== base.host || url.searchParams.has('token')) return [url.href, protocols];
  if (protocols.length && SUBPROTOCOL.test(token)) return [url.href, [...protocols, `bearer.${token}`]];
  // Without a subprotocol to choose a browser refuses a server that chooses none.
  url.searchParams.set('token', token);
  return [url.href, protocols];
}

/** What the server said when it refused: the message of its JSON error, or its text. */
export async function refusal(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error.message;
  } catch {
    return text.trim() || `status ${response.status}`;
  }
}

/** Says beside the field why what it holds is not enough; nothing when it is. */
export function sayRefused(text) {
  if (text) byId('token-details').open = true;
  byId('token-said').textContent = text;
}
