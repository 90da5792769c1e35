import type { Root } from '@espalier/protocol';
import { keyIdOf, publicKeyBase64, type KeyPair } from '@espalier/trust';

const ROOT_DAYS = 365;

/** Keys that a root gives roles to. */
export interface RootKeys {
  readonly root: KeyPair;
  /** The server's online key: targets and timestamps. */
  readonly online: KeyPair;
  /** Raw public keys that may sign releases, one signature being enough. */
  readonly release: readonly Uint8Array[];
}

/**
 * The root that says what `keys` say: the current one while it does and has half of its life left,
 * else the next version.
 * @param now milliseconds since 1970
 */
export function nextRoot(current: Root | null, keys: RootKeys, now: number): Root {
  const release = keys.release.map((publicKey) => ({ keyId: keyIdOf(publicKey), publicKey }));
  // A root without any release key cannot be written: until one is given, the root key stands in.
  const releasers = release.length > 0 ? release : [keys.root];
  const role = (pairs: readonly { keyId: string }[]) => ({
    keyids: pairs.map(({ keyId }) => keyId),
    threshold: 1,
  });
  const content = {
    keys: Object.fromEntries(
      [keys.root, keys.online, ...releasers].map((pair) => [
        pair.keyId,
        { scheme: 'ed25519' as const, public: publicKeyBase64(pair) },
      ]),
    ),
    roles: {
      root: role([keys.root]),
      release: role(releasers),
      target: role([keys.online]),
      timestamp: role([keys.online]),
    },
  };
  const halfLife = (ROOT_DAYS * 86_400_000) / 2;
  if (
    current &&
    JSON.stringify({ keys: current.keys, roles: current.roles }) === JSON.stringify(content) &&
    Date.parse(current.expires) - now > halfLife
  ) {
    return current;
  }
  return {
    type: 'root',
    version: (current?.version ?? 0) + 1,
    expires: new Date(now + ROOT_DAYS * 86_400_000).toISOString(),
    ...content,
  };
}
