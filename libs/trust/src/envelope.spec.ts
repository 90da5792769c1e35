import type { ReportPayload, Root, Signed } from '@espalier/protocol';
import fc from 'fast-check';
import {
  addSignature,
  generateKeyPair,
  keyPairFromPem,
  preAuthEncoding,
  privateKeyPem,
  publicKeyBase64,
  sign,
  signReport,
  verifyReport,
  verifySigned,
} from './index.js';

const device = generateKeyPair();
const report: ReportPayload = {
  type: 'report',
  deviceId: 'cam-1',
  generation: 1,
  releaseId: 'r1',
  variantId: 'v1',
  state: 'active',
  loadedSha256: 'a'.repeat(64),
  probe: { latencyMs: 1, finite: true },
  running: null,
  failure: null,
  receivedBytes: 10,
  at: '2029-01-01T00:00:00Z',
};

describe('signed documents', () => {
  it('encodes type and payload as DSSE does', () => {
    expect(
      Buffer.from(
        preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world')),
      ).toString(),
    ).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  });

  it('gives a device report back to whoever holds the device public key', () => {
    const restored = keyPairFromPem(privateKeyPem(device));
    expect(verifyReport(signReport(report, restored), device.publicKey)).toEqual(report);
    expect(() => verifyReport(signReport(report, generateKeyPair()), device.publicKey)).toThrow(
      expect.objectContaining({ code: 'TRUST_THRESHOLD' }),
    );
  });

  it('is refused after any change of a single byte of the payload', () => {
    const signed = signReport(report, device);
    const bytes = Buffer.from(signed.payload, 'base64');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ flip;
        const forged: Signed = { ...signed, payload: changed.toString('base64') };
        expect(() => verifyReport(forged, device.publicKey)).toThrow(
          expect.objectContaining({ code: 'TRUST_THRESHOLD' }),
        );
      }),
      { seed: 7 },
    );
  });

  it('looks at no payload before its signatures hold', () => {
    const notJson = { ...signReport(report, generateKeyPair()), payload: 'e30xe' };
    expect(() => verifyReport(notJson, device.publicKey)).toThrow(
      expect.objectContaining({ code: 'TRUST_THRESHOLD' }),
    );
    const wrongShape = sign('report', { type: 'report' }, [device]);
    expect(() => verifyReport(wrongShape, device.publicKey)).toThrow(
      expect.objectContaining({ code: 'TRUST_PAYLOAD' }),
    );
  });

  it('counts a key once towards a threshold, however often it signs', () => {
    const [one, two] = [generateKeyPair(), generateKeyPair()];
    const role = { keyids: [one.keyId, two.keyId], threshold: 2 };
    const root: Root = {
      type: 'root',
      version: 1,
      expires: '2030-01-01T00:00:00Z',
      keys: {
        [one.keyId]: { scheme: 'ed25519', public: publicKeyBase64(one) },
        [two.keyId]: { scheme: 'ed25519', public: publicKeyBase64(two) },
      },
      roles: { root: role, release: role, target: role, timestamp: role },
    };
    const once = sign('root', root, [one]);
    const twice = { ...once, signatures: [...once.signatures, ...once.signatures] };
    expect(() => verifySigned(twice, 'root', root)).toThrow(
      expect.objectContaining({ code: 'TRUST_THRESHOLD' }),
    );
    expect(verifySigned(addSignature(once, two), 'root', root)).toEqual(root);
  });

  it('never passes for a document of another kind', () => {
    const asRelease = {
      ...signReport(report, device),
      payloadType: 'application/vnd.espalier.release.v1+json',
    };
    expect(() => verifyReport(asRelease, device.publicKey)).toThrow(
      expect.objectContaining({ code: 'TRUST_PAYLOAD_TYPE' }),
    );
  });
});
