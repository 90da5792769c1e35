import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Parses UTF-8 JSON whose arrays and objects are nested no deeper than `LIMITS.jsonDepth`, so that
 * nothing that walks the value later can run out of stack. The depth is checked before the parse.
 * @throws ProtocolError PROTOCOL_NOT_JSON, PROTOCOL_TOO_DEEP
 */
export function parseJson(bytes: Uint8Array): unknown {
  if (isDeeper(bytes, LIMITS.jsonDepth)) {
    throw new ProtocolError(
      'PROTOCOL_TOO_DEEP',
      `JSON is nested more than ${LIMITS.jsonDepth} deep.`,
    );
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ProtocolError('PROTOCOL_NOT_JSON', 'It is not UTF-8 JSON.', { cause });
  }
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
