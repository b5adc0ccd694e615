// Numbers as people read them.

const utf8 = new TextEncoder();
const NONE = '\u2013';
const THIN_SPACE = '\u202f';

/** 0, 7.5, 950, 1,234, 12.3k, 4.56M */
export function count(value) {
  if (!Number.isFinite(value)) return NONE;
  if (value < 100 && !Number.isInteger(value)) return value.toFixed(1);
  if (value < 10_000) return Math.round(value).toLocaleString('en');
  return scaled(value, ['k', 'M', 'G', 'T'], '');
}

/** 0 B, 512 B, 12.3 kB, 4.56 MB */
export function bytes(value) {
  if (!Number.isFinite(value)) return NONE;
  if (value < 1000) return `${Math.round(value)}${THIN_SPACE}B`;
  return scaled(value, ['kB', 'MB', 'GB', 'TB'], THIN_SPACE);
}

/** Seconds, as 850 ns, 12.3 us, 4.5 ms, 1.2 s */
export function seconds(value) {
  if (!Number.isFinite(value)) return NONE;
  const units = [[1, 's'], [1e-3, 'ms'], [1e-6, '\u00b5s'], [1e-9, 'ns']];
  const [size, unit] = units.find(([least]) => value >= least * 0.9995) ?? units[units.length - 1];
  return `${digits(value / size)}${THIN_SPACE}${unit}`;
}

export function milliseconds(value) {
  return `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
}

/** The time of day to the millisecond. */
export function timeOfDay(date) {
  const part = (value, length) => String(value).padStart(length, '0');
  const fraction = `${part(date.getSeconds(), 2)}.${part(date.getMilliseconds(), 3)}`;
  return `${part(date.getHours(), 2)}:${part(date.getMinutes(), 2)}:${fraction}`;
}

/** Bytes of a text in UTF-8, or of an ArrayBuffer or a view of one. */
export function sizeOf(payload) {
  return typeof payload === 'string' ? utf8.encode(payload).length : payload.byteLength;
}

/** A text that is not too long to show. */
export function shortened(text, most = 200) {
  return text.length > most ? `${text.slice(0, most)}\u2026` : text;
}

function scaled(value, units, space) {
  let at = -1;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${digits(value)}${space}${units[at]}`;
}

/** Three digits that count. */
function digits(value) {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}
