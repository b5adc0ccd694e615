// Payloads of the plain WebSocket: made, compared, shown.

import { shortened } from './words.js';

const RANDOM_BYTES_PER_CALL = 65536; // crypto.getRandomValues gives no more at once

/** The message of a kind: a string or a Uint8Array; throws when the content is not what the kind wants. */
export function compose(kind, content, bytes) {
  switch (kind) {
    case 'hex': return fromHex(content);
    case 'random-binary': return randomBytes(bytes);
    case 'random-text': return Array.from(randomBytes(bytes), byte => String.fromCharCode(97 + byte % 26)).join('');
    default: return content;
  }
}

/** Whether what came, a string or an ArrayBuffer, is what was sent. */
export function same(sent, received) {
  if (typeof sent === 'string' || typeof received === 'string') return sent === received;
  const bytes = new Uint8Array(received);
  return sent.length === bytes.length && sent.every((byte, at) => byte === bytes[at]);
}

/** Text, or hex digits, not too long. */
export function preview(payload) {
  if (typeof payload === 'string') return shortened(payload);
  const shown = new Uint8Array(payload.buffer ?? payload, 0, Math.min(payload.byteLength, 32));
  const hex = Array.from(shown, byte => byte.toString(16).padStart(2, '0')).join(' ');
  return payload.byteLength > shown.length ? `${hex} \u2026` : hex;
}

function fromHex(text) {
  const digits = text.replace(/[\s,:]|0x/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error('binary content is pairs of hex digits, as in 00 ff 1a');
  return Uint8Array.from(digits.match(/../g) ?? [], pair => parseInt(pair, 16));
}

function randomBytes(length) {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += RANDOM_BYTES_PER_CALL) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_PER_CALL));
  }
  return bytes;
}
