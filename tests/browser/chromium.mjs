// Starts headless Chromium and stops and continues the process that does its networking.

import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

// Chromium as a distribution packages it; no sandbox, because tests may run as root in a container.
const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];

/** A browser with an empty profile of its own: { context, profile }. */
export async function startChromium(settings = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'wsring-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE, headless: true, args: FLAGS, ...settings,
  });
  return { context, profile };
}

/** The id of the browser's network process, found by its profile, so that no other browser is meant. */
export function networkProcess(profile) {
  for (const id of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    const isNetwork = commandOf(id).includes('network.mojom.NetworkService');
    if (isNetwork && ancestors(id).some(parent => commandOf(parent).includes(profile))) return Number(id);
  }
  throw new Error('Chromium has no network process of its own');
}

function commandOf(id) {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch {
    return ''; // it ended meanwhile
  }
}

function ancestors(id) {
  const found = [];
  while (id && id !== '0' && id !== '1') {
    found.push(id);
    try {
      id = readFileSync(`/proc/${id}/stat`, 'latin1').split(') ')[1].split(' ')[1];
    } catch {
      return found;
    }
  }
  return found;
}

/** How many TCP connections to this port of 127.0.0.1 the kernel holds in the state ESTABLISHED. */
export function establishedTo(port) {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'latin1').split('\n')
    .map(line => line.trim().split(/\s+/))
    .filter(fields => fields[2] === remote && fields[3] === '01').length;
}
