// Headless Chromium against the server: its page used as a person would, and the browser's own WebSocket.
//
//   node browser.mjs --url http://127.0.0.1:8080 --testee http://127.0.0.1:8081 --server target/release/wsring
//     [--screenshots DIR] [--only NAME]
//
// `--url` and `--testee` name servers that run; `--server` the program, for tests that need one of their own.

import { within } from '../clients/tap.mjs';
import { finish } from './session.mjs';
import './plain.mjs';
import './topics.mjs';
import './figures.mjs';
import './token.mjs';
import './native.mjs';
import './looks.mjs';

await within(finish(), 500);
