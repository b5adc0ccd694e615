// The HTML report of wsload, and its page of a comparison, in headless Chromium: what their plots show, that they ask
// nobody, and how they look. Beside the report lies echo-slower.json, which it is compared with.
//
//   node report.mjs --wsload target/debug/wsload --report loadgen/tests/fixtures/echo.json [--screenshots DIR] [--only NAME]

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { argument, equal, runAll, test, within } from '../clients/tap.mjs';
import { startChromium } from './chromium.mjs';
import { CONTRAST_LEAST, faint } from './contrast.mjs';

const [wsload, report, screenshots] = ['wsload', 'report', 'screenshots'].map(argument);
if (!wsload || !report) {
  console.error('usage: node report.mjs --wsload PROGRAM --report FILE [--screenshots DIR]');
  process.exit(2);
}
if (screenshots) mkdirSync(screenshots, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'wsload-report-'));
const { context, profile } = await startChromium({ viewport: { width: 1300, height: 1000 } });

/** Makes a page of reports and gives its address. */
function render(words, name) {
  const page = join(folder, name);
  const done = spawnSync(wsload, [...words, '--html', page], { encoding: 'utf8' });
  if (![0, 3, 4].includes(done.status)) throw new Error(`wsload ${words[0]} ended with ${done.status}: ${done.stderr}`);
  return pathToFileURL(page).href;
}

/** Runs a step on a page from a file; fails when it complained, or asked for anything but itself. */
async function onReport(step, url = address) {
  const page = await context.newPage();
  const [complaints, asked] = [[], []];
  page.on('pageerror', error => complaints.push(error.message));
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
  page.on('request', request => request.url().startsWith('data:') || asked.push(request.url()));
  try {
    await page.goto(url);
    await step(page);
    equal(complaints, [], 'what the page complained about');
    equal(asked, [url], 'what the page asked for');
  } finally {
    await page.close();
  }
}

const address = render(['report', report], 'report.html');
const thresholds = ['--threshold', 'p50<+5%', '--threshold', 'rate>-5%'];
const comparison = render(['compare', report, join(dirname(report), 'echo-slower.json'), ...thresholds], 'compare.html');
const plot = (page, title) => page.locator('.plot').filter({ has: page.locator(`figcaption:text-is("${title}")`) });

/** The points of a line: shares of the plot's width from the left and of its height from below. */
async function points(page, title, line) {
  const drawn = await plot(page, title).locator(`path.line.line-${line}`).getAttribute('d');
  return [...drawn.matchAll(/([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x) / 1000, 1 - Number(y) / 1000]);
}

const rises = values => values.every((value, index) => index === 0 || value >= values[index - 1]);

test('report: plots have the lines that were measured', () => onReport(async page => {
  const legends = {
    'Latency by percentile': ['response', 'service', 'schedule lag'],
    'Handshake by percentile': ['tcp', 'upgrade', 'open'],
    'Rate over time': ['answered', 'sent'],
    'Latency over time': ['p50', 'p99', 'max', 'schedule lag p99'],
    'CPU over time': ['client', 'server'],
    'Memory over time': ['client', 'server'],
    'Errors over time': ['errors'],
    'p99 by rate': ['p99'],
  };
  equal(await page.locator('figcaption').allTextContents(), Object.keys(legends), 'plots');
  for (const [title, names] of Object.entries(legends)) {
    equal(await plot(page, title).locator('.legend .key').allTextContents(), names, `legend of ${title}`);
    for (const line of names.keys()) {
      const drawn = await points(page, title, line);
      if (drawn.length < 3) throw new Error(`${title}, line ${line}: ${JSON.stringify(drawn)}`);
      if (drawn.flat().some(share => share < 0 || share > 1)) throw new Error(`${title}, line ${line} leaves its box`);
      if (!rises(drawn.map(([x]) => x))) throw new Error(`${title}, line ${line} goes back`);
    }
  }
}));

test('report: latency rises with the percentile, response above service above lag', () => onReport(async page => {
  const [response, service, lag] = await Promise.all([0, 1, 2].map(line => points(page, 'Latency by percentile', line)));
  for (const line of [response, service, lag]) if (!rises(line.map(([, y]) => y))) throw new Error('a line falls');
  for (const [index, [, y]] of response.entries()) {
    if (!(y >= service[index][1] && service[index][1] > lag[index][1])) throw new Error(`out of order at ${index}`);
  }
}));

test('report: the stall is where it was', () => onReport(async page => {
  const max = await points(page, 'Latency over time', 2);
  const highest = max.reduce((best, point, index) => point[1] > max[best][1] ? index : best, 0);
  equal(highest, 17, 'the interval with the greatest latency');
  const answered = await points(page, 'Rate over time', 0);
  equal(answered.filter(([, y]) => y < answered[0][1] - 0.05).length, 1, 'intervals with fewer answers');
}));

test('report: values are told at the pointer and by keys', () => onReport(async page => {
  const figure = plot(page, 'Latency over time');
  const area = figure.locator('.area');
  await area.scrollIntoViewIfNeeded();
  const box = await area.boundingBox();
  await page.mouse.move(box.x + 1, box.y + 40);
  const reading = figure.locator('.reading');
  const first = JSON.parse(readFileSync(report, 'utf8')).series[0];
  equal(await reading.locator('.where').textContent(), `${(first.from_s + first.seconds).toFixed(1)} s`, 'the first place');
  const shown = await reading.locator('.key').allTextContents();
  equal(shown.map(text => text.replace(/ [\d.]+ (us|ms)$/, '')), ['p50', 'p99', 'max', 'schedule lag p99'], 'lines');
  await page.mouse.move(box.x + box.width - 1, box.y + 40);
  equal(await reading.locator('.where').textContent(), '33.0 s', 'the last place');
  const right = await reading.boundingBox();
  if (right.x + right.width > box.x + box.width) throw new Error('the values leave the plot');
  await area.focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  equal(await reading.locator('.where').textContent(), '5.0 s', 'the second place');
  await page.mouse.move(box.x, box.y - 60);
  await reading.waitFor({ state: 'hidden' });
}));

test('report: verdict, evidence and what repeats the run stand there', () => onReport(async page => {
  const { reasons, warnings, environment, seed } = JSON.parse(readFileSync(report, 'utf8'));
  equal(await page.locator('.verdict.not-met li').allTextContents(), reasons, 'reasons');
  equal(await page.locator('.verdict.warning li').allTextContents(), warnings, 'warnings');
  const block = title => page.locator('section').filter({ has: page.locator(`h2:text-is("${title}")`) });
  equal(await block('Generator').locator('tbody tr').count(), 2, 'signs of health');
  const facts = await block('To repeat it').locator('.facts').textContent();
  for (const fact of [environment.kernel, environment.cpu, `${seed}`, ...Object.values(environment.sysctls)]) {
    if (!facts.includes(fact)) throw new Error(`${fact} is not among what repeats the run`);
  }
}));

test('report: it fits every width, in light, dark and print', () => onReport(page => fits(page, 'report')));

test('compare: both sides are in every plot', () => onReport(async page => {
  const legends = {
    'Latency by percentile, response': ['before', 'after'],
    'Rate over time': ['before', 'after'],
    'Latency over time': ['before p50', 'after p50', 'before p99', 'after p99'],
  };
  equal(await page.locator('figcaption').allTextContents(), Object.keys(legends), 'plots');
  for (const [title, names] of Object.entries(legends)) {
    equal(await plot(page, title).locator('.legend .key').allTextContents(), names, `legend of ${title}`);
  }
  const [before, after] = await Promise.all([0, 1].map(line => points(page, 'Rate over time', line)));
  equal(before.length, after.length, 'intervals of both sides');
  if (!before.every(([, y], index) => y > after[index][1])) throw new Error('the slower side is not below');
  const [quick, slow] = await Promise.all([0, 1].map(line => points(page, 'Latency by percentile, response', line)));
  if (!slow.slice(0, 40).every(([, y], index) => y > quick[index][1])) throw new Error('the slower side is not above');
}, comparison));

test('compare: an interval is drawn from where to where its figures say', () => onReport(async page => {
  const rows = await page.locator('.changes tbody tr').evaluateAll(rows => rows.map(row => {
    const box = name => row.querySelector(name)?.getBoundingClientRect();
    const [span, point, zero] = ['.strip .span', '.strip .point', '.strip .zero'].map(box);
    const cells = [...row.cells].map(cell => cell.textContent);
    const className = row.querySelector('.strip').className;
    return { cells, className, low: span.left, high: span.right, at: point.left + point.width / 2, zero: zero.left };
  }));
  equal(rows.map(row => row.cells[0]), ['rate', 'p50', 'p90', 'p99', 'p99.9', 'mean', 'max'], 'metrics');
  const shares = text => [...text.matchAll(/[+-][\d.]+(?= %)/g)].map(([number]) => Number(number));
  const [rate, p50, p90] = rows;
  // Pixels for a per cent, from the widest of these, hold for the others too.
  const scale = (p90.high - p90.low) / (shares(p90.cells[4])[1] - shares(p90.cells[4])[0]);
  for (const row of [rate, p50, p90]) {
    const [low, high] = shares(row.cells[4]);
    const [change] = shares(row.cells[3]);
    for (const [name, drawn, figure] of [['low', row.low, low], ['high', row.high, high], ['change', row.at, change]]) {
      const away = Math.abs(drawn - row.zero - figure * scale);
      if (away > 2) throw new Error(`${row.cells[0]}: ${name} is ${away} pixels from where it should be`);
    }
  }
  equal([rate, p50].map(row => row.className), ['strip worse', 'strip worse'], 'what is surely worse');
  equal(await page.locator('.strip .bound').count(), 2, 'thresholds');
  equal(await page.locator('.verdict.not-met li').allTextContents(), ['p50<+5%: NOT MET'], 'reasons');
  equal((await page.locator('.verdict.warning li').allTextContents())[0], 'kernel was 6.18.0, then 6.18.1', 'differences');
}, comparison));

test('compare: it fits every width, in light, dark and print', () => onReport(page => fits(page, 'compare'), comparison));

/** A page at every width and in every light. */
async function fits(page, title) {
  const looks = [[title, 1300, 'light'], [`${title}-dark`, 1300, 'dark'], [`${title}-middle`, 800, 'light'],
    [`${title}-phone`, 360, 'light'], [`${title}-phone-dark`, 360, 'dark'], [`${title}-print`, 760, 'dark', 'print']];
  for (const [name, width, colorScheme, media] of looks) {
    await page.emulateMedia({ colorScheme, media: media ?? 'screen' });
    await page.setViewportSize({ width, height: 1000 });
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    equal(beyond, 0, `pixels beyond the right edge of ${name}`);
    equal(await page.evaluate(faint, CONTRAST_LEAST), [], `texts that are too faint in ${name}`);
    equal(await page.evaluate(spilling), [], `cells that their text leaves in ${name}`);
    equal(await page.evaluate(overlapping), [], `marks over each other in ${name}`);
    if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
  }
}

test('report: what servers say is text, and long words fit', () => {
  const hostile = JSON.parse(readFileSync(report, 'utf8'));
  const markup = '</script></title><script>document.title = "taken"</script><img src=x onerror=alert(1)>';
  hostile.url = `ws://127.0.0.1/${markup}${'x'.repeat(300)}`;
  hostile.errors = { [markup]: 1 };
  hostile.latencies[0].name = `${markup}`;
  hostile.reasons = ['y'.repeat(300)];
  const file = join(folder, 'hostile.json');
  writeFileSync(file, JSON.stringify(hostile));
  return onReport(async page => {
    await page.setViewportSize({ width: 360, height: 800 });
    equal((await page.title()).startsWith('wsload echo: ws://127.0.0.1/</script>'), true, 'the title is text');
    equal(await page.locator('img').count(), 0, 'images');
    equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, 'pixels beyond the edge');
  }, render(['report', file], 'hostile.html'));
});

/** To be run inside a page: cells of the changes whose text is wider than they are. */
function spilling() {
  const cells = [...document.querySelectorAll('.changes th:not(.forest), .changes td:not(.forest)')];
  return cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent);
}

/** To be run inside a page: marks and titles of axes that lie over each other. */
function overlapping() {
  const faults = [];
  for (const plot of document.querySelectorAll('.plot, .changes thead')) {
    const boxes = [...plot.querySelectorAll('.x-axis span, .y-axis span, .y-title, .x-title, .marks span')].map(mark => ({ text: mark.textContent, box: mark.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0);
    for (const [index, a] of boxes.entries()) {
      for (const b of boxes.slice(index + 1)) {
        const isApart = a.box.right <= b.box.left || b.box.right <= a.box.left || a.box.bottom <= b.box.top || b.box.bottom <= a.box.top;
        if (!isApart) faults.push(`${a.text} and ${b.text}`);
      }
    }
  }
  return faults;
}

try {
  await within(runAll(), 300);
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
}
