import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
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
import { keptKeyPair, writePrivately } from './key-files.js';
import { nextRoot } from './root-document.js';

const TIMESTAMP_HOURS = 24;

/** The server's keys, and the root that says what they may sign. */
export class Keyring {
  private constructor(
    readonly root: Root,
    readonly signedRoot: Signed,
    readonly rootKeyId: string,
    readonly online: KeyPair,
    private readonly release: KeyPair | null,
  ) {}

  /**
   * Opens the key folder, making what is missing; with changed release keys the root moves on by one
   * version, signed by the same root key.
   * @param releaseKeys raw public keys that may sign releases offline
   * @param now milliseconds since 1970
   */
  static open(
    folder: string,
    options: { selfSign: boolean; releaseKeys: readonly Uint8Array[] },
    now: number,
  ): Keyring {
    const rootKey = keptKeyPair(folder, 'root');
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
    if (kept && root === current) return new Keyring(root, kept, rootKey.keyId, online, release);
    const signedRoot = sign('root', root, [rootKey]);
    writePrivately(path, JSON.stringify(signedRoot));
    return new Keyring(root, signedRoot, rootKey.keyId, online, release);
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

function readOwnRoot(signed: Signed): Root {
  const root = rootSchema.parse(JSON.parse(Buffer.from(payloadBytes(signed)).toString('utf8')));
  return verifySigned(signed, 'root', root);
}
