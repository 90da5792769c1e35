import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  LIMITS,
  rootSchema,
  signedSchema,
  type Membership,
  type Release,
  type Root,
  type Signed,
  type Target,
  type Timestamp,
} from '@espalier/protocol';
import { payloadBytes, sign, verifySigned, type KeyPair } from '@espalier/trust';
import { givenKeyPair, keptKeyPair, replaceKey, writePrivately } from './key-files.js';
import { nextRoot } from './root-document.js';

const TIMESTAMP_HOURS = 24;
const NEXT_ROOT = 'root.next';

/** The server's keys, and the root that says what they may sign. */
export class Keyring {
  private constructor(
    readonly root: Root,
    readonly signedRoot: Signed,
    readonly rootKeyId: string,
    readonly online: KeyPair,
    private readonly release: KeyPair | null,
    /** The roots before this one, oldest first, as far back as messages carry them. */
    readonly formerRoots: readonly Signed[],
  ) {}

  /**
   * Opens the key folder, making what is missing; with changed keys the root moves on by one version.
   * A key given as `root.next.pem` becomes the root key: both it and the former one sign that root.
   * @param releaseKeys raw public keys that may sign releases offline
   * @param now milliseconds since 1970
   */
  static open(
    folder: string,
    options: { selfSign: boolean; releaseKeys: readonly Uint8Array[] },
    now: number,
  ): Keyring {
    const former = keptKeyPair(folder, 'root');
    const rootKey = givenKeyPair(folder, NEXT_ROOT) ?? former;
    const online = keptKeyPair(folder, 'online');
    const release = options.selfSign ? keptKeyPair(folder, 'release') : null;
    const path = join(folder, 'root.json');
    const kept = existsSync(path)
      ? signedSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
      : null;
    const current = kept ? readOwnRoot(kept) : null;
    const root = nextRoot(
      current,
      {
        root: rootKey,
        online,
        release: [...options.releaseKeys, ...(release ? [release.publicKey] : [])],
      },
      now,
    );
    const isNew = !kept || root !== current;
    const signedRoot = isNew ? sign('root', root, [former, rootKey]) : kept;
    if (isNew) {
      // A device that was away follows from the root that it knows, one by one.
      if (kept && current)
        writePrivately(formerPath(folder, current.version), JSON.stringify(kept));
      writePrivately(path, JSON.stringify(signedRoot));
    }
    if (rootKey !== former) replaceKey(folder, NEXT_ROOT, 'root');
    const before = formerRoots(folder, root.version);
    return new Keyring(root, signedRoot, rootKey.keyId, online, release, before);
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

const formerPath = (folder: string, version: number): string =>
  join(folder, `root.${version}.json`);

function formerRoots(folder: string, version: number): Signed[] {
  const versions = Array.from({ length: LIMITS.formerRoots }, (_, i) => version - 1 - i).reverse();
  return versions
    .map((former) => formerPath(folder, former))
    .filter((path) => existsSync(path))
    .map((path) => signedSchema.parse(JSON.parse(readFileSync(path, 'utf8'))));
}

function readOwnRoot(signed: Signed): Root {
  const root = rootSchema.parse(JSON.parse(Buffer.from(payloadBytes(signed)).toString('utf8')));
  return verifySigned(signed, 'root', root);
}
