import type { Root } from '@espalier/protocol';
import { TrustError } from './errors.js';
import { keyIdOf, publicKeyBase64 } from './keys.js';

/** Keys that a role has, and how many of them must sign. */
export interface RoleKeys {
  /** Raw public keys. */
  readonly keys: readonly Uint8Array[];
  readonly threshold: number;
}

/** What a root says. */
export interface RootContent {
  readonly root: RoleKeys;
  readonly release: RoleKeys;
  /** The server's online key, raw: targets and timestamps. */
  readonly online: Uint8Array;
  /** ISO 8601. */
  readonly expires: string;
}

/**
 * A root document, still to be signed by the threshold of its own root role and, from version 2 on, by
 * that of the root before it.
 * @throws TrustError TRUST_THRESHOLD when a role has fewer keys than must sign
 */
export function makeRoot(version: number, { root, release, online, expires }: RootContent): Root {
  const target = { keys: [online], threshold: 1 };
  const all = [...root.keys, online, ...release.keys];
  return {
    type: 'root',
    version,
    expires,
    keys: Object.fromEntries(
      all.map((publicKey) => [
        keyIdOf(publicKey),
        { scheme: 'ed25519' as const, public: publicKeyBase64({ publicKey }) },
      ]),
    ),
    roles: {
      root: roleOf('root', root),
      release: roleOf('release', release),
      target: roleOf('target', target),
      timestamp: roleOf('timestamp', target),
    },
  };
}

function roleOf(name: string, { keys, threshold }: RoleKeys): Root['roles']['root'] {
  const keyids = [...new Set(keys.map(keyIdOf))];
  if (keyids.length >= threshold) return { keyids, threshold };
  throw new TrustError(
    'TRUST_THRESHOLD',
    `${threshold} signatures for the role ${name} need as many keys; it has ${keyids.length}.`,
  );
}
