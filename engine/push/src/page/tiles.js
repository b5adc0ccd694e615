// The figures of this moment.

import { byId, make, say } from './dom.js';
import { sum } from './openmetrics.js';
import * as words from './words.js';

const total = (rates, name, labels) => sum(rates.samples, name, labels);
const missed = rates => total(rates, 'wsring_missed_total');
const slowest = rates => total(rates, 'wsring_slowest_behind_messages', { rank: '1' });

/** What compression spares to send, while it does. */
function alsoSaved(rates) {
  const saved = ['wsring_shared_deflate_saved_bytes_total', 'wsring_deflate_saved_bytes_total']
    .map(name => rates.perSecond(name)).reduce((one, other) => one + other);
  return saved > 0 ? `, ${words.bytes(saved)}/s saved` : '';
}

/**
 * Title, value, what stands below it, and when it is a reason to look closer.
 * Counters of troubles warn while they rise, not for ever after.
 */
const GROUPS = {
  Load: [
    ['Connections', rates => words.count(total(rates, 'wsring_connections')),
      rates => `${words.count(rates.perSecond('wsring_accepted_connections_total'))} new/s, this page included`],
    ['Subscriptions', rates => words.count(total(rates, 'wsring_subscriptions')),
      rates => `topics ${words.count(total(rates, 'wsring_topics'))}, patterns ${words.count(total(rates, 'wsring_patterns'))}`],
    ['Publishes/s', rates => words.count(rates.perSecond('wsring_published_total')),
      rates => `${words.count(total(rates, 'wsring_published_total'))} so far`],
    ['Deliveries/s', rates => words.count(rates.perSecond('wsring_deliveries_total')),
      rates => `${words.count(total(rates, 'wsring_deliveries_total'))} so far`],
    ['Sent/s', rates => words.bytes(rates.perSecond('wsring_sent_bytes_total')),
      rates => `${words.bytes(rates.perSecond('wsring_received_bytes_total'))}/s received${alsoSaved(rates)}`],
  ],
  Keeping: [
    ['Behind', rates => words.count(total(rates, 'wsring_subscriptions_behind')),
      () => 'subscriptions not at the head', rates => total(rates, 'wsring_subscriptions_behind') > 0],
    ['Slowest lag', rates => words.count(slowest(rates)), () => 'messages', rates => slowest(rates) > 0],
    ['Missed', rates => words.count(missed(rates)),
      rates => ['skip', 'latest', 'close']
        .map(policy => `${policy} ${words.count(total(rates, 'wsring_missed_total', { policy }))}`).join(', '),
      rates => rates.lately('wsring_missed_total') > 0],
    ['Refused', rates => words.count(total(rates, 'wsring_refused_total')), refusedMost,
      rates => rates.lately('wsring_refused_total') > 0],
    ['Kept', rates => words.bytes(total(rates, 'wsring_retained_bytes')), () => 'history of all topics'],
  ],
  Engine: [
    ['Turn, median', rates => words.seconds(rates.turn(0.5)), () => 'of the last 10 s'],
    ['Turn, 99th', rates => words.seconds(rates.turn(0.99)), () => 'percentile; a long one delays all'],
    ['Completions', rates => words.count(rates.lately('wsring_completions_total') / rates.lately('wsring_enters_total')),
      () => 'per io_uring_enter; rises with load'],
    ['ENOBUFS', rates => words.count(total(rates, 'wsring_buffers_exhausted_total')), () => 'no receive buffer was free',
      rates => rates.lately('wsring_buffers_exhausted_total') > 0],
    ['Overflows', rates => words.count(total(rates, 'wsring_completion_overflows_total')), () => 'of the completion queue',
      rates => rates.lately('wsring_completion_overflows_total') > 0],
  ],
};

/** The code that was answered most, of those with which requests were refused. */
function refusedMost(rates) {
  const codes = rates.samples.get('wsring_refused_total') ?? [];
  const most = codes.reduce((most, sample) => sample.value > (most?.value ?? 0) ? sample : most, undefined);
  return most ? `most: ${most.labels.code}` : 'requests and commands';
}

const tiles = Object.entries(GROUPS).flatMap(([group, members]) => {
  const list = make('dl', '', { class: 'tiles', 'data-group': group });
  byId('tiles').append(list);
  return members.map(([title, value, below, warns = () => false]) => {
    const place = make('div');
    const parts = { value: make('dd', '\u2013', { class: 'value' }), below: make('dd', '\u00a0', { class: 'below' }) };
    place.append(make('dt', title), parts.value, parts.below);
    list.append(place);
    return { place, parts, value, below, warns };
  });
});

export function showTiles(rates) {
  for (const { place, parts, value, below, warns } of tiles) {
    say(parts.value, value(rates));
    say(parts.below, below(rates));
    place.classList.toggle('warns', warns(rates));
  }
}
