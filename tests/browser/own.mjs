// Servers of a test's own, with a configuration that it chooses.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from './session.mjs';

const START_MS_MAX = 10_000;

/** Runs a step with the URL of a server that has this configuration, and stops it. */
export async function withServer(configuration, step) {
  const folder = mkdtempSync(join(tmpdir(), 'wsring-own-'));
  const file = join(folder, 'config.toml');
  writeFileSync(file, configuration);
  const port = await freePort();
  const child = spawn(program, ['serve', '--listen', `127.0.0.1:${port}`, '--config', file, '--shards', '1'],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, RUST_LOG: 'error' } });
  const ended = new Promise(resolve => child.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  try {
    await isReady(url);
    await step(url);
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true });
  }
}

/** Publishes a text over HTTP. */
export async function publish(url, topic, text) {
  const response = await fetch(`${url}/topics/${topic}`, { method: 'POST', body: text });
  if (!response.ok) throw new Error(`publishing answered ${response.status}`);
  return response.json();
}

async function isReady(url) {
  const deadline = Date.now() + START_MS_MAX;
  for (;;) {
    const ready = await fetch(`${url}/readyz`).then(response => response.ok, () => false);
    if (ready) return;
    if (Date.now() > deadline) throw new Error('the server did not start');
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

function freePort() {
  return new Promise(resolve => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
