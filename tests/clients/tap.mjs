// A list of named tests and its report: `ok name`, `not ok name: why`, and a last line `N passed, N failed`.

const SECONDS_MAX = 60;
const tests = [];

/** Adds a test: an async function that throws when it fails. */
export function test(name, run) {
  tests.push({ name, run });
}

/** Runs all tests in order; the process ends with 1 when one failed. */
export async function runAll() {
  const only = argument('only');
  const chosen = tests.filter(({ name }) => !only || name.includes(only));
  let failed = 0;
  for (const { name, run } of chosen) {
    const started = Date.now();
    try {
      await within(run(), SECONDS_MAX);
      const took = (Date.now() - started) / 1000;
      console.log(`ok ${name}${took >= 1 ? ` (${took.toFixed(1)} s)` : ''}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${name}: ${error.message.split('\n')[0]}`);
    }
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

/** The promise's value, or a failure when it takes longer. */
export function within(promise, seconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came within ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Fails unless the two are equal; buffers are compared by content. */
export function equal(found, expected, what) {
  const same = Buffer.isBuffer(expected) && Buffer.isBuffer(found) ? expected.equals(found)
    : JSON.stringify(found) === JSON.stringify(expected);
  if (!same) throw new Error(`${what}: expected ${short(expected)}, found ${short(found)}`);
}

/** The value of `--name VALUE` on the command line. */
export function argument(name) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

function short(value) {
  if (Buffer.isBuffer(value)) return `${value.length} bytes ${value.subarray(0, 16).toString('hex')}`;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 100)} ... (${text.length} long)` : text;
}
