import type { Membership, Release, Root, Signed, Target, Timestamp } from '@espalier/protocol';
import {
  keyIdOf,
  keysOfRole,
  publicKeyBase64,
  sign,
  signersOf,
  TrustError,
  verifySigned,
  type KeyPair,
} from '@espalier/trust';
import { ServerError } from '../errors.js';
import { givenKeyPair, keptKeyPair, replaceKey } from './key-files.js';
import { nextRoot, type RootKeys } from './root-document.js';
import { GIVEN_ROOT, RootFiles, type KeptRoot } from './root-files.js';

const TIMESTAMP_HOURS = 24;
const NEXT_KEY = 'root.next';

/** The server's keys, and the root that says what they may sign. */
export class Keyring {
  private constructor(
    readonly root: Root,
    readonly signedRoot: Signed,
    readonly online: KeyPair,
    private readonly release: KeyPair | null,
    /** The roots before this one, oldest first, as far back as messages carry them. */
    readonly formerRoots: readonly Signed[],
  ) {}

  /**
   * Opens the key folder, making what is missing. A server that keeps the only root key makes the roots:
   * with changed keys the root moves on by one version, and a key given as `root.next.pem` becomes the
   * root key, where it and the former one both sign. Any other root is made elsewhere, and taken from
   * `root.next.json`; one that would leave the server without a key that it needs is not taken.
   * @param releaseKeys raw public keys that may sign releases offline
   * @param now milliseconds since 1970
   * @throws TrustError when a root does not follow from the one before
   * @throws ServerError ROOT_KEYS when a root made elsewhere does not name a key that this server needs
   */
  static open(
    folder: string,
    options: { selfSign: boolean; releaseKeys: readonly Uint8Array[] },
    now: number,
  ): Keyring {
    const files = new RootFiles(folder);
    const online = keptKeyPair(folder, 'online');
    const release = options.selfSign ? keptKeyPair(folder, 'release') : null;
    const keys = {
      online,
      release: [...options.releaseKeys, ...(release ? [release.publicKey] : [])],
    };
    const current = files.takeGiven((given) => {
      const unnamed = keepsRootKey(folder, given) ? undefined : unnamedKey(given, keys);
      if (unnamed === undefined) return;
      throw new ServerError(
        'ROOT_KEYS',
        500,
        `${GIVEN_ROOT}, root ${given.version}, does not give ${unnamed}, and is not taken; make it anew with that key (\`espalier root make\`), or remove it to go on with the root before.`,
      );
    });
    const isOwn = !current || keepsRootKey(folder, current.root);
    const unnamed = isOwn ? undefined : unnamedKey(current.root, keys);
    if (current && unnamed !== undefined) {
      throw new ServerError(
        'ROOT_KEYS',
        500,
        `Root ${current.root.version} was made elsewhere and does not give ${unnamed}; make the next with that key (\`espalier root make\`), and put it into the key folder as ${GIVEN_ROOT}.`,
      );
    }
    const { root, signed } = isOwn ? advanced(folder, files, current, keys, now) : current;
    return new Keyring(root, signed, online, release, files.before(root.version));
  }

  /** A root key that has signed the root; claim tokens pin it. */
  get rootKeyId(): string {
    const [signer] = signersOf(this.signedRoot, keysOfRole(this.root, 'root'));
    if (signer !== undefined) return signer;
    throw new TrustError('TRUST_THRESHOLD', 'None of its own root keys has signed the root.');
  }

  /** Whether this server signs releases by itself. */
  get signsReleases(): boolean {
    return this.release !== null;
  }

  /** Signs a release with the server's own release key; null when it has none. */
  signRelease(release: Release): Signed | null {
    return this.release ? sign('release', release, [this.release]) : null;
  }

  /**
   * Verifies a release's signature.
   * @throws TrustError
   */
  verifyRelease(signed: Signed): Release {
    return verifySigned(signed, 'release', this.root);
  }

  signTarget(target: Target): Signed {
    return sign('target', target, [this.online]);
  }

  signMembership(membership: Membership): Signed {
    return sign('membership', membership, [this.online]);
  }

  /** A statement that this root is the current one, good for a day. */
  signTimestamp(version: number, now: number): Signed {
    const timestamp: Timestamp = {
      type: 'timestamp',
      version,
      issued: new Date(now).toISOString(),
      expires: new Date(now + TIMESTAMP_HOURS * 3_600_000).toISOString(),
      rootVersion: this.root.version,
    };
    return sign('timestamp', timestamp, [this.online]);
  }
}

/** Whether the folder holds the one key that may sign the next root. */
function keepsRootKey(folder: string, { roles }: Root): boolean {
  const held = [givenKeyPair(folder, 'root'), givenKeyPair(folder, NEXT_KEY)];
  const [only, ...others] = roles.root.keyids;
  return others.length === 0 && held.some((pair) => pair?.keyId === only);
}

/** The root that follows from the server's own keys, kept. */
function advanced(
  folder: string,
  files: RootFiles,
  current: KeptRoot | null,
  keys: Omit<RootKeys, 'root'>,
  now: number,
): KeptRoot {
  const former = keptKeyPair(folder, 'root');
  const rootKey = givenKeyPair(folder, NEXT_KEY) ?? former;
  const root = nextRoot(current?.root ?? null, { root: rootKey, ...keys }, now);
  const next =
    root === current?.root
      ? current
      : files.put({ root, signed: sign('root', root, [former, rootKey]) });
  if (rootKey !== former) replaceKey(folder, NEXT_KEY, 'root');
  return next;
}

/** A key that this server needs, and the role that a root made elsewhere does not give it, in words. */
function unnamedKey(
  { roles }: Root,
  { online, release }: Omit<RootKeys, 'root'>,
): string | undefined {
  const needed = [
    ...(['target', 'timestamp'] as const).map((role) => ({ role, key: online.publicKey })),
    ...release.map((key) => ({ role: 'release' as const, key })),
  ];
  const missing = needed.find(({ role, key }) => !roles[role].keyids.includes(keyIdOf(key)));
  return (
    missing && `the role ${missing.role} to the key ${publicKeyBase64({ publicKey: missing.key })}`
  );
}
