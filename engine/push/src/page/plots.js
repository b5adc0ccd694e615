// The last two minutes as lines, drawn as SVG in the page's own colours.

import { make, say } from './dom.js';
import { sum } from './openmetrics.js';
import * as words from './words.js';

const SPAN_MS = 120_000;
// A longer time between two looks is a hole in the line: the tab slept, or nobody answered.
const HOLE_MS = 4000;
const HEIGHT = 100;
const SVG = 'http://www.w3.org/2000/svg';

/** Title, how numbers are written, the least top of the scale, and the lines. */
const PLOTS = [
  ['Deliveries per second', words.count, 10, { '': rates => rates.perSecond('wsring_deliveries_total') }],
  ['Publishes per second', words.count, 10, { '': rates => rates.perSecond('wsring_published_total') }],
  ['Bytes sent per second', words.bytes, 1000, { '': rates => rates.perSecond('wsring_sent_bytes_total') }],
  ['Connections', words.count, 10, { '': rates => sum(rates.samples, 'wsring_connections') }],
  ['Lag of the slowest, messages', words.count, 10,
    { '': rates => sum(rates.samples, 'wsring_slowest_behind_messages', { rank: '1' }) }],
  ['Length of a turn', words.seconds, 1e-5, { median: rates => rates.turn(0.5), '99th': rates => rates.turn(0.99) }],
];

export class Plots {
  #plots;

  constructor(place) {
    this.#plots = PLOTS.map(shape => new Plot(place, ...shape));
  }

  /** Takes in the figures of this moment. */
  take(rates) {
    const at = performance.now();
    this.#plots.forEach(plot => plot.take(rates, at));
  }

  /** Time goes on although there are no figures. */
  pause() {
    this.#plots.forEach(plot => plot.draw(performance.now()));
  }
}

class Plot {
  #points = []; // { at, values }, oldest first
  #pointed = null; // where the pointer is, as a share of the width
  #now = 0;

  constructor(place, title, write, leastTop, lines) {
    Object.assign(this, { title, write, leastTop, lines });
    const figure = make('figure', '', { class: 'plot' });
    const caption = make('figcaption');
    this.reading = make('output', '\u2013');
    caption.append(make('span', title), this.reading);
    this.svg = svg('svg', { viewBox: `0 0 ${SPAN_MS} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    for (const y of [0, HEIGHT / 2, HEIGHT]) this.svg.append(svg('path', { class: 'grid', d: `M0 ${y}H${SPAN_MS}` }));
    this.area = svg('path', { class: 'area' });
    this.paths = Object.keys(lines).map((_, at) => svg('path', { class: `line line-${at}` }));
    this.pointer = svg('path', { class: 'pointer' });
    this.svg.append(this.area, ...this.paths, this.pointer);
    this.top = make('span', '', { class: 'top', 'aria-hidden': 'true' });
    const box = make('div', '', { class: 'box' });
    box.append(this.svg, this.top);
    const feet = make('div', '', { class: 'feet', 'aria-hidden': 'true' });
    feet.append(make('span', '2 min ago'), make('span', '1 min'), make('span', 'now'));
    figure.append(caption, box, feet);
    place.append(figure);
    this.svg.addEventListener('pointermove', event => this.#point(event));
    this.svg.addEventListener('pointerleave', () => this.#point(null));
  }

  take(rates, at) {
    this.#points.push({ at, values: Object.values(this.lines).map(read => read(rates)) });
    while (this.#points[0].at < at - SPAN_MS - HOLE_MS) this.#points.shift();
    this.draw(at);
  }

  draw(now) {
    this.#now = now;
    const all = this.#points.flatMap(({ values }) => values).filter(Number.isFinite);
    const top = roundUp(Math.max(this.leastTop, ...all));
    say(this.top, this.write(top));
    const runs = this.paths.map((_, line) => this.#runs(line, top));
    this.paths.forEach((path, line) => path.setAttribute('d', runs[line].map(run => `M${run.join('L')}`).join('')));
    const closed = run => `M${run[0].split(' ')[0]} ${HEIGHT}L${run.join('L')}V${HEIGHT}Z`;
    this.area.setAttribute('d', runs.at(-1).map(closed).join(''));
    this.#read();
    this.svg.setAttribute('aria-label', `${this.title} over the last two minutes: now ${this.reading.value}, scale to ${this.write(top)}`);
  }

  /** The points of a line, `x y` each, cut where there are none for a while. */
  #runs(line, top) {
    const runs = [];
    let last = -Infinity;
    for (const { at, values } of this.#points) {
      if (!Number.isFinite(values[line])) continue;
      if (at - last > HOLE_MS) runs.push([]);
      const x = Math.round(SPAN_MS - (this.#now - at));
      runs.at(-1).push(`${x} ${(HEIGHT * (1 - values[line] / top)).toFixed(2)}`);
      last = at;
    }
    return runs;
  }

  #point(event) {
    const box = this.svg.getBoundingClientRect();
    this.#pointed = event && (event.clientX - box.left) / box.width;
    this.#read();
  }

  /** Says what the line is at the pointer, or now. */
  #read() {
    const wanted = this.#pointed === null ? this.#now : this.#now - SPAN_MS * (1 - this.#pointed);
    const distance = point => Math.abs(point.at - wanted);
    const nearest = this.#points.reduce((best, point) => !best || distance(point) < distance(best) ? point : best, null);
    if (!nearest) return;
    const names = Object.keys(this.lines);
    const values = nearest.values.map((value, at) => `${names[at]} ${this.write(value)}`.trim()).join(' \u00b7 ');
    const pointed = this.#pointed !== null;
    const ago = pointed ? ` ${Math.round((this.#now - nearest.at) / 1000)} s ago` : '';
    say(this.reading, values + ago);
    const x = SPAN_MS - (this.#now - nearest.at);
    this.pointer.setAttribute('d', pointed ? `M${x} 0V${HEIGHT}` : '');
  }
}

/** The next of 1, 2, 5, 10, 20, 50 and so on. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find(factor => value <= factor * power * 1.000001);
}

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
