// Reads OpenMetrics (the specification 1.0), as far as this server writes it.

/** The samples: a map from name to a list of { labels, value }. */
export function parse(text) {
  const samples = new Map();
  for (const line of text.split('\n')) {
    if (!line || line.startsWith('#')) continue;
    const [, name, labels = '', value] = /^([^{ ]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (!name) throw new Error(`no sample: ${line}`);
    if (!samples.has(name)) samples.set(name, []);
    samples.get(name).push({ labels: labelsOf(labels), value: Number(value) });
  }
  return samples;
}

/** The sum of a name's samples, or of those with these labels. */
export function sum(samples, name, labels = {}) {
  const fits = sample => Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
  return (samples.get(name) ?? []).filter(fits).reduce((sum, { value }) => sum + value, 0);
}

/** A histogram's counts up to each bound, over all its series: a map from bound to count, bounds rising. */
export function buckets(samples, name) {
  const counts = new Map();
  for (const { labels, value } of samples.get(`${name}_bucket`) ?? []) {
    const bound = labels.le === '+Inf' ? Infinity : Number(labels.le);
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  return new Map([...counts].sort(([a], [b]) => a - b));
}

/** The quantile of what a histogram counted between two looks; NaN when it counted nothing. */
export function quantile(before, after, q) {
  let [lower, below] = [0, 0];
  const total = (after.get(Infinity) ?? 0) - (before.get(Infinity) ?? 0);
  for (const [bound, count] of total > 0 ? after : []) {
    const upTo = count - (before.get(bound) ?? 0);
    if (upTo >= q * total) {
      const share = (q * total - below) / (upTo - below);
      return bound === Infinity ? lower : lower + share * (bound - lower);
    }
    [lower, below] = [bound, upTo];
  }
  return NaN;
}

function labelsOf(text) {
  const labels = {};
  for (const [, key, value] of text.matchAll(/([^=,]+)="((?:[^"\\]|\\.)*)"/g)) {
    labels[key] = value.replace(/\\(.)/g, (_, letter) => letter === 'n' ? '\n' : letter);
  }
  return labels;
}
