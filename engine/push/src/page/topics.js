// The client of topics: what the forms ask goes to the feed, what the feed tells stands in table and list.

import { addGap, addMessage, addNote, clearArrivals } from './arrivals.js';
import { byId, fill, make, seldom, say, show } from './dom.js';
import { Feed } from './feed.js';
import { Flood } from './flood.js';
import { Lags } from './lags.js';
import { onToken } from './token.js';
import * as words from './words.js';

const STATES = { asked: 'asking', live: 'subscribed', refused: 'refused' };

const lags = new Lags();
const draw = seldom(drawn);
const feed = new Feed({
  changed: draw,
  message: message => {
    lags.arrived(message.topic, message.offset, message.at, addMessage(message));
    draw();
  },
  gap: addGap,
  note: addNote,
});
const flood = new Flood(feed, published);

byId('subscribe').addEventListener('submit', event => {
  event.preventDefault();
  const kind = byId('begin').value;
  feed.subscribe(byId('topic').value.trim(), kind === 'next' ? {} : { [kind]: byId('begin-at').valueAsNumber || 0 });
});
byId('publish').addEventListener('submit', event => {
  event.preventDefault();
  publish();
});
byId('publish-data').addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) byId('publish').requestSubmit();
});
byId('flood').addEventListener('submit', event => {
  event.preventDefault();
  const number = name => byId(`flood-${name}`).valueAsNumber;
  if (flood.runs) return flood.stop();
  if (!byId('publish-topic').reportValidity()) return undefined;
  const topic = byId('publish-topic').value.trim();
  return flood.start({ topic, messages: number('messages'), bytes: number('bytes'), rate: number('rate') });
});
byId('topic').addEventListener('input', event => {
  const topic = event.target.value;
  // Who watches a topic mostly publishes to it; a pattern cannot be published to.
  if (!/[+#]/.test(topic)) byId('publish-topic').value = topic;
});
byId('begin').addEventListener('change', showBegin);
byId('drop').addEventListener('click', () => feed.drop());
byId('leave').addEventListener('click', () => {
  flood.stop();
  feed.leave();
});
byId('arrivals-clear').addEventListener('click', () => {
  clearArrivals();
  lags.clear();
  draw();
});
onToken(() => feed.renew());
showBegin(); // a reloaded page keeps what was chosen

function publish() {
  const topic = byId('publish-topic').value.trim();
  const text = byId('publish-data').value;
  let json = JSON.stringify(text);
  if (byId('publish-kind').value === 'json') {
    try {
      JSON.parse(text);
      json = text.trim();
    } catch (error) {
      return sayPublished('failed', `not JSON: ${error.message}`);
    }
  }
  sayPublished('connecting', 'publishing');
  return feed.publish(topic, json, (answer, sentAt) => {
    published(topic, answer, sentAt);
    if (answer.error) return sayPublished('failed', answer.error.message);
    const { offset, subscribers } = answer.ok;
    return sayPublished('open', `offset ${offset}, to ${subscribers} ${subscribers === 1 ? 'subscriber' : 'subscribers'}`);
  });
}

function published(topic, { ok }, sentAt) {
  // What nobody here waits for may still come as history, much later.
  if (ok && feed.follows(topic)) lags.published(topic, ok.offset, sentAt);
  draw();
}

function sayPublished(state, text) {
  show(byId('publish-said'), state, text);
}

function showBegin() {
  const kind = byId('begin').value;
  byId('begin-field').hidden = kind === 'next';
  say(byId('begin-label'), kind === 'from' ? 'From' : 'How many');
}

function drawn() {
  show(byId('feed-state'), feed.state, feed.words);
  byId('drop').disabled = feed.state !== 'open';
  byId('leave').disabled = feed.state === 'idle';
  fill(byId('subscriptions'), [...feed.subscriptions.values()].map(subscription => {
    const { topic, state, next, arrived, missed } = subscription;
    const stands = feed.state === 'open' || state === 'refused' ? STATES[state] : 'waiting';
    return [topic, stands, next ?? '\u2013', words.count(arrived), words.count(missed), leaveButton(subscription)];
  }));
  const quantiles = `lag: median ${words.milliseconds(lags.quantile(0.5))}, 99th ${words.milliseconds(lags.quantile(0.99))}`;
  say(byId('lag'), lags.measured ? quantiles : 'no lag measured yet');
}

/** The same element as long as the subscription stands, so that it keeps the focus. */
function leaveButton(subscription) {
  if (!subscription.button) {
    const { topic } = subscription;
    subscription.button = make('button', 'Unsubscribe', { class: 'small', type: 'button', 'aria-label': `Unsubscribe from ${topic}` });
    subscription.button.addEventListener('click', () => feed.unsubscribe(topic));
  }
  return subscription.button;
}
