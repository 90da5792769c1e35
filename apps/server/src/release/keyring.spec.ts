import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LIMITS, type Signed } from '@espalier/protocol';
import { followRoots, generateKeyPair, privateKeyPem, trustFirstRoot } from '@espalier/trust';
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

const versionOf = ({ payload }: Signed): number =>
  (JSON.parse(Buffer.from(payload, 'base64').toString()) as { version: number }).version;
