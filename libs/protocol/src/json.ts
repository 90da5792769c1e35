import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Escapes of what databases refuse within text: the character 0, and any half of a surrogate pair. */
const SUSPECT = /\\u(?:0000|[dD][89a-fA-F])/;

/**
 * Parses UTF-8 JSON whose arrays and objects are nested no deeper than `LIMITS.jsonDepth`, so that
 * nothing that walks the value later can run out of stack. The depth is checked before the parse.
 * Text in it is Unicode that can be stored: no character 0, no lone half of a surrogate pair.
 * @throws ProtocolError PROTOCOL_NOT_JSON, PROTOCOL_TOO_DEEP, PROTOCOL_TEXT
 */
export function parseJson(bytes: Uint8Array): unknown {
  if (isDeeper(bytes, LIMITS.jsonDepth)) {
    throw new ProtocolError(
      'PROTOCOL_TOO_DEEP',
      `JSON is nested more than ${LIMITS.jsonDepth} deep.`,
    );
  }
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError('PROTOCOL_NOT_JSON', 'It is not UTF-8 JSON.', { cause });
  }
  if (SUSPECT.test(text) && !holdsText(value)) {
    throw new ProtocolError(
      'PROTOCOL_TEXT',
      'Text in the JSON has the character 0 or half of a surrogate pair; send Unicode text.',
    );
  }
  return value;
}

function holdsText(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && !/\p{Surrogate}/u.test(value);
  if (value === null || typeof value !== 'object') return true;
  return Object.entries(value).every(([key, inner]) => holdsText(key) && holdsText(inner));
}

function isDeeper(bytes: Uint8Array, most: number): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const byte = bytes[at];
    if (isText) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) isText = true;
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > most) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return false;
}
