// Figures by shard, and who is furthest behind.

import { byId, fill, say } from './dom.js';
import { sum } from './openmetrics.js';
import { ask } from './token.js';
import * as words from './words.js';

const SLOW_ROWS = 10;

export class Tables {
  #wereBehind = false;

  async take(rates) {
    const shards = (rates.samples.get('wsring_connections') ?? []).map(({ labels }) => labels.shard);
    fill(byId('shards'), shards.map(shard => [
      shard,
      words.count(sum(rates.samples, 'wsring_connections', { shard })),
      words.count(sum(rates.samples, 'wsring_subscriptions', { shard })),
      words.count(rates.perSecond('wsring_deliveries_total', { shard })),
      words.bytes(rates.perSecond('wsring_sent_bytes_total', { shard })),
      words.count(rates.perSecond('wsring_turns_total', { shard })),
    ]));
    const behind = sum(rates.samples, 'wsring_slowest_behind_messages') > 0;
    if (behind || this.#wereBehind) await this.#slow();
    this.#wereBehind = behind;
  }

  async #slow() {
    const response = await ask(`debug/slow?most=${SLOW_ROWS}`);
    const slow = response.ok ? await response.json() : [];
    fill(byId('slow'), slow.map(({ connection, peer, topic, behind }) => [connection, peer ?? '\u2013', topic, words.count(behind)]));
    const hidden = slow.some(({ peer }) => peer === null) ? ' With --peer-addresses the server knows where they come from.' : '';
    say(byId('slow-said'), slow.length ? `Messages between what each waits for and the head of its topic.${hidden}` : 'Nobody is behind.');
  }
}
