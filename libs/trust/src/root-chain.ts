import { parseJson, rootSchema, type Root, type Signed } from '@espalier/protocol';
import { payloadBytes, verifyThreshold } from './envelope.js';
import { TrustError } from './errors.js';
import { keyIdOf } from './keys.js';
import { parseVerified } from './parse.js';
import { keysOfRole, verifySigned } from './roles.js';

/**
 * Trusts a first root because one key's id is pinned out of band, in the claim token. The pinned
 * key's bytes are looked up in the payload before it is verified, which is safe because only the
 * true key hashes to the pin; nothing else of the payload is used until its signature holds.
 * @param pinnedKeyId hex SHA-256 of the raw public key
 * @throws TrustError TRUST_PIN, TRUST_PAYLOAD_TYPE, TRUST_THRESHOLD, TRUST_PAYLOAD
 */
export function trustFirstRoot(signed: Signed, pinnedKeyId: string): Root {
  const pinned = pinnedKeyOf(payloadBytes(signed), pinnedKeyId);
  if (!pinned) {
    throw new TrustError(
      'TRUST_PIN',
      `The root does not carry the pinned key ${pinnedKeyId}; this is not the server that issued the claim token.`,
    );
  }
  verifyThreshold(signed, 'root', new Map([[pinnedKeyId, pinned]]), 1);
  const root = parseVerified(payloadBytes(signed), rootSchema, 'root document');
  if (!root.roles.root.keyids.includes(pinnedKeyId)) {
    throw new TrustError(
      'TRUST_PIN',
      `The pinned key ${pinnedKeyId} has no root role in the root.`,
    );
  }
  return verifySigned(signed, 'root', root);
}

/**
 * Moves from one trusted root to the next: version N+1, signed by the thresholds of N and of N+1.
 * The current root given again is accepted as it is.
 * Source: The Update Framework 1.0, section 5.3.
 * @throws TrustError TRUST_ROLLBACK, TRUST_ROOT_CHAIN, TRUST_PAYLOAD_TYPE, TRUST_THRESHOLD, TRUST_PAYLOAD
 */
export function advanceRoot(current: Root, signed: Signed): Root {
  const { threshold } = current.roles.root;
  const bytes = verifyThreshold(signed, 'root', keysOfRole(current, 'root'), threshold);
  const next = parseVerified(bytes, rootSchema, 'root document');
  if (next.version < current.version) {
    throw new TrustError(
      'TRUST_ROLLBACK',
      `Root version ${next.version} is lower than the trusted ${current.version}.`,
    );
  }
  if (next.version > current.version + 1) {
    throw new TrustError(
      'TRUST_ROOT_CHAIN',
      `Root version ${next.version} cannot follow ${current.version}; give ${current.version + 1} first.`,
    );
  }
  return verifySigned(signed, 'root', next);
}

/**
 * Moves along a chain of roots to its last. Former ones that are not newer than the trusted one are
 * passed over, on what they say of themselves; each of the others, and the last, must hold.
 * @param former oldest first
 * @throws TrustError as {@link advanceRoot} does
 */
export function followRoots(current: Root, former: readonly Signed[], last: Signed): Root {
  let root = current;
  for (const signed of former)
    if (claimedVersion(signed) > root.version) root = advanceRoot(root, signed);
  return advanceRoot(root, last);
}

/** The version that a root claims, unverified; infinite where it claims none. */
function claimedVersion(signed: Signed): number {
  try {
    const { version } = parseJson(payloadBytes(signed)) as { version?: unknown };
    return typeof version === 'number' ? version : Infinity;
  } catch {
    return Infinity;
  }
}

function pinnedKeyOf(payload: Uint8Array, pinnedKeyId: string): Uint8Array | undefined {
  let json: unknown;
  try {
    json = parseJson(payload);
  } catch {
    return undefined;
  }
  const keys = (json as { keys?: Record<string, { public?: unknown } | null> } | null)?.keys;
  const encoded =
    keys && typeof keys === 'object' && Object.hasOwn(keys, pinnedKeyId)
      ? keys[pinnedKeyId]?.public
      : undefined;
  if (typeof encoded !== 'string') return undefined;
  const raw = Buffer.from(encoded, 'base64');
  return keyIdOf(raw) === pinnedKeyId ? raw : undefined;
}
