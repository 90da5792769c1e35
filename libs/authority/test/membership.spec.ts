/** What a device is given when it joins, and the pin that covers it: the real authority and keys. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Membership, Root } from '@espalier/protocol';
import {
  generateKeyPair,
  publicKeyBase64,
  publicKeyObject,
  sign,
  verifyMembership,
} from '@espalier/trust';
import { brokerIdentity, CertificateAuthority, clientIdentity } from '../src/index.js';

const NOW = Date.now();
const DAY_MS = 86_400_000;
const FAR = '2100-01-01T00:00:00.000Z';
const [rootKey, online, device] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
const role = (keyId: string) => ({ keyids: [keyId], threshold: 1 });
const root: Root = {
  type: 'root',
  version: 1,
  expires: FAR,
  keys: Object.fromEntries(
    [rootKey, online].map((key) => [
      key.keyId,
      { scheme: 'ed25519' as const, public: publicKeyBase64(key) },
    ]),
  ),
  roles: {
    root: role(rootKey.keyId),
    release: role(rootKey.keyId),
    target: role(online.keyId),
    timestamp: role(online.keyId),
  },
};

let authority: CertificateAuthority;
let membership: Membership;

beforeAll(async () => {
  authority = await CertificateAuthority.open(await CertificateAuthority.create(NOW));
  const { pem, expires } = await authority.issue(
    {
      commonName: 'cam-1',
      publicKey: publicKeyObject(device.publicKey),
      use: 'client',
      lifetimeMs: DAY_MS,
    },
    NOW,
  );
  membership = {
    type: 'membership',
    deviceId: 'cam-1',
    brokerUrl: 'mqtts://broker.example:8883',
    authorities: authority.pem,
    certificate: pem,
    issued: new Date(NOW).toISOString(),
    expires: expires.toISOString(),
  };
});

const asDevice = { id: 'cam-1', publicKey: device.publicKey };
const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'accepted';
};

describe('a membership', () => {
  it('is taken when the root’s online key has signed it for this device’s key', () => {
    const signed = sign('membership', membership, [online]);
    expect(verifyMembership(signed, root, asDevice)).toEqual(membership);
  });

  it('is refused with an authority, a broker or a certificate that somebody else put in', async () => {
    const signed = sign('membership', membership, [online]);
    const stranger = await CertificateAuthority.create(NOW);
    for (const change of [
      { authorities: stranger.certificate },
      { brokerUrl: 'mqtts://elsewhere.example:8883' },
      { certificate: stranger.certificate },
    ]) {
      const payload = Buffer.from(JSON.stringify({ ...membership, ...change })).toString('base64');
      const tampered = { ...signed, payload };
      expect(codeOf(() => verifyMembership(tampered, root, asDevice))).toBe('TRUST_THRESHOLD');
    }
    for (const [kind, key] of [
      ['membership', generateKeyPair()],
      ['membership', rootKey],
    ] as const) {
      const forged = sign(kind, membership, [key]);
      expect(codeOf(() => verifyMembership(forged, root, asDevice))).toBe('TRUST_THRESHOLD');
    }
    const otherKind = sign('target', membership, [online]);
    expect(codeOf(() => verifyMembership(otherKind, root, asDevice))).toBe('TRUST_PAYLOAD_TYPE');
  });

  it('is refused for another device, another key, or without a certificate', () => {
    const verified = (change: object, of = asDevice): string => {
      const signed = sign('membership', { ...membership, ...change }, [online]);
      return codeOf(() => verifyMembership(signed, root, of));
    };
    expect(verified({ deviceId: 'cam-2' })).toBe('TRUST_MEMBERSHIP');
    expect(verified({ deviceId: 'cam-2' }, { ...asDevice, id: 'cam-2' })).toBe('TRUST_MEMBERSHIP');
    expect(verified({}, { ...asDevice, publicKey: online.publicKey })).toBe('TRUST_MEMBERSHIP');
    expect(verified({ certificate: 'none' })).toBe('TRUST_MEMBERSHIP');
  });
});

describe('the authority', () => {
  it('makes certificates and lists of void ones as OpenSSL reads them', async () => {
    const good = await clientIdentity(authority, 'cam-2', NOW);
    const broker = await brokerIdentity(authority, ['broker.example', '10.0.0.7'], NOW);
    const folder = mkdtempSync(join(tmpdir(), 'espalier-openssl-'));
    try {
      const file = (name: string, text: string): string => {
        writeFileSync(join(folder, name), text);
        return join(folder, name);
      };
      const serial = new X509Certificate(membership.certificate).serialNumber;
      const list = await authority.revocationList([serial.toLowerCase()], NOW);
      const common = ['-CAfile', file('ca.pem', authority.pem), '-CRLfile', file('crl.pem', list)];
      const verify = (purpose: string, pem: string): string => {
        const path = file('leaf.pem', pem);
        const flags = ['-crl_check', '-purpose', purpose];
        try {
          execFileSync('openssl', ['verify', ...flags, ...common, path], { stdio: 'pipe' });
          return 'good';
        } catch (error) {
          return String((error as { stderr: Buffer }).stderr);
        }
      };
      expect(verify('sslclient', good.certificate)).toBe('good');
      expect(verify('sslserver', broker.certificate)).toBe('good');
      expect(verify('sslclient', broker.certificate)).toContain('purpose');
      expect(verify('sslserver', good.certificate)).toContain('purpose');
      expect(verify('sslclient', membership.certificate)).toContain('revoked');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const names = new X509Certificate(broker.certificate);
    expect(names.checkHost('broker.example')).toBe('broker.example');
    expect(names.checkIP('10.0.0.7')).toBe('10.0.0.7');
    expect(names.checkHost('elsewhere.example')).toBeUndefined();
  });
});
