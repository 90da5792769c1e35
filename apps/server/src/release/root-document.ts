import type { Root } from '@espalier/protocol';
import { makeRoot, type KeyPair } from '@espalier/trust';

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
  // A root without any release key cannot be written: until one is given, the root key stands in.
  const release = keys.release.length > 0 ? keys.release : [keys.root.publicKey];
  const next = makeRoot((current?.version ?? 0) + 1, {
    root: { keys: [keys.root.publicKey], threshold: 1 },
    release: { keys: release, threshold: 1 },
    online: keys.online.publicKey,
    expires: new Date(now + ROOT_DAYS * 86_400_000).toISOString(),
  });
  const halfLife = (ROOT_DAYS * 86_400_000) / 2;
  const isSame = current && sayingOf(current) === sayingOf(next);
  return isSame && Date.parse(current.expires) - now > halfLife ? current : next;
}

const sayingOf = ({ keys, roles }: Root): string => JSON.stringify({ keys, roles });
