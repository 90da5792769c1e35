import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LIMITS, type Signed } from '@espalier/protocol';
import {
  followRoots,
  generateKeyPair,
  keyPairFromPem,
  makeRoot,
  privateKeyPem,
  sign,
  trustFirstRoot,
  type KeyPair,
} from '@espalier/trust';
import { Keyring } from './keyring.js';

const DAY = 86_400_000;
const now = Date.parse('2027-01-01T00:00:00Z');
const folder = mkdtempSync(join(tmpdir(), 'espalier-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

const open = (at: number, ...releaseKeys: Uint8Array[]) =>
  Keyring.open(folder, { selfSign: false, releaseKeys }, at);

describe('a key folder', () => {
  const [former, latter] = [generateKeyPair().publicKey, generateKeyPair().publicKey];

  it('leads a device from any root to the present one, over every change of keys', () => {
    const first = open(now, former);
    const known = trustFirstRoot(first.signedRoot, first.rootKeyId);
    expect(open(now + DAY, former).signedRoot).toEqual(first.signedRoot);
    expect(first.formerRoots).toEqual([]);

    const second = open(now + DAY, former, latter);
    const third = open(now + 2 * DAY, latter);
    expect(third.root.version).toBe(3);
    for (const root of [known, second.root, third.root]) {
      expect(followRoots(root, third.formerRoots, third.signedRoot)).toEqual(third.root);
    }
    expect(third.root.roles.release.keyids).toHaveLength(1);
  });

  it('takes another root key, which the former one vouches for, and forgets the former', () => {
    const before = open(now + 2 * DAY, latter);
    const next = generateKeyPair();
    writeFileSync(join(folder, 'root.next.pem'), privateKeyPem(next));
    const after = open(now + 2 * DAY, latter);
    expect(after.rootKeyId).toBe(next.keyId);
    expect(after.root.roles.root.keyids).toEqual([next.keyId]);
    expect(followRoots(before.root, after.formerRoots, after.signedRoot)).toEqual(after.root);
    expect(trustFirstRoot(after.signedRoot, next.keyId)).toEqual(after.root);
    expect(() => trustFirstRoot(after.signedRoot, before.rootKeyId)).toThrow(
      expect.objectContaining({ code: 'TRUST_PIN' }),
    );
    expect(existsSync(join(folder, 'root.next.pem'))).toBe(false);
    expect(open(now + 2 * DAY, latter).signedRoot).toEqual(after.signedRoot);

    // A cut before the key had taken its place: the next start goes on.
    writeFileSync(join(folder, 'root.next.pem'), privateKeyPem(next));
    expect(open(now + 2 * DAY, latter).signedRoot).toEqual(after.signedRoot);
  });

  it('makes a new root at half of the life of the last, and carries so many former ones', () => {
    let keyring = open(now + 3 * DAY, latter);
    for (let year = 1; keyring.root.version < LIMITS.formerRoots + 5; year += 1) {
      keyring = open(now + year * 300 * DAY, latter);
    }
    const versions = keyring.formerRoots.map(versionOf);
    expect(versions).toEqual(
      Array.from({ length: LIMITS.formerRoots }, (_, i) => keyring.root.version - 16 + i),
    );
  });
});

describe('a root that was made elsewhere', () => {
  const keys = [generateKeyPair(), generateKeyPair(), generateKeyPair()] as const;
  const release = generateKeyPair();
  const folder = mkdtempSync(join(tmpdir(), 'espalier-keys-'));
  const given = join(folder, 'root.next.json');
  const open = (...releaseKeys: Uint8Array[]) =>
    Keyring.open(folder, { selfSign: false, releaseKeys }, now);
  /** Signed by the keys given, for any two of the three. */
  const made = (version: number, online: KeyPair, signers: readonly [KeyPair, ...KeyPair[]]) =>
    sign(
      'root',
      makeRoot(version, {
        root: { keys: keys.map(({ publicKey }) => publicKey), threshold: 2 },
        release: { keys: [release.publicKey], threshold: 1 },
        online: online.publicKey,
        expires: new Date(now + 365 * DAY).toISOString(),
      }),
      signers,
    );
  const give = (signed: Signed) => writeFileSync(given, JSON.stringify(signed));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("takes the place of the server's own once enough keys have signed, and leads devices on", () => {
    const first = open();
    const own = keyPairFromPem(readFileSync(join(folder, 'root.pem'), 'utf8'));
    give(made(2, first.online, [own, keys[0]]));
    expect(() => open()).toThrow(expect.objectContaining({ code: 'TRUST_THRESHOLD' }));
    give(made(2, first.online, [keys[0], keys[1]]));
    expect(() => open()).toThrow(expect.objectContaining({ code: 'TRUST_THRESHOLD' }));
    expect(existsSync(given)).toBe(true);

    const enough = made(2, first.online, [own, keys[1], keys[2]]);
    give(enough);
    const second = open();
    expect(second.root.roles.root.threshold).toBe(2);
    expect(existsSync(given)).toBe(false);
    expect(trustFirstRoot(second.signedRoot, second.rootKeyId)).toEqual(second.root);
    // A cut between its taking the place and its file's going.
    give(enough);
    expect(open().root).toEqual(second.root);
    expect(existsSync(given)).toBe(false);

    give(made(3, first.online, [keys[0], keys[2]]));
    const third = open(release.publicKey);
    for (const { root } of [first, second, third]) {
      expect(followRoots(root, third.formerRoots, third.signedRoot)).toEqual(third.root);
    }
  });

  it('is not changed by the server, which says what key it does not name', () => {
    const before = open().signedRoot;
    const refused = expect.objectContaining({ code: 'ROOT_KEYS' });
    expect(() => open(generateKeyPair().publicKey)).toThrow(refused);
    rmSync(join(folder, 'online.pem'));
    expect(() => open()).toThrow(refused);
    const online = keyPairFromPem(readFileSync(join(folder, 'online.pem'), 'utf8'));
    give(made(4, online, [keys[0], keys[1]]));
    expect(open().root.version).toBe(4);
    expect(before).not.toEqual(open().signedRoot);
  });

  it('is left where it was put while it does not name a key of the server, which keeps its root', () => {
    const before = open().root;
    give(made(before.version + 1, generateKeyPair(), [keys[0], keys[1]]));
    for (let start = 0; start < 2; start += 1) {
      expect(() => open()).toThrow(
        expect.objectContaining({
          code: 'ROOT_KEYS',
          message: expect.stringContaining('root.next.json') as string,
        }),
      );
      expect(existsSync(given)).toBe(true);
    }
    rmSync(given);
    expect(open().root).toEqual(before);
    const online = keyPairFromPem(readFileSync(join(folder, 'online.pem'), 'utf8'));
    give(made(before.version + 1, online, [keys[0], keys[1]]));
    expect(open().root.version).toBe(before.version + 1);
  });
});

const versionOf = ({ payload }: Signed): number =>
  (JSON.parse(Buffer.from(payload, 'base64').toString()) as { version: number }).version;
