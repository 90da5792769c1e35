import {
  claimSecretMatches,
  createClaimToken,
  generateKeyPair,
  issueCredential,
  parseClaimToken,
  verifyCredential,
} from './index.js';

const online = generateKeyPair();
const credential = { deviceId: 'cam-1', issuedAtMs: 5, expires: '2030-01-01T00:00:00Z' };
const before = Date.parse('2029-12-31T00:00:00Z');

describe('an MQTT credential', () => {
  it('is verified with the public key alone', () => {
    const text = issueCredential(credential, online);
    expect(verifyCredential(text, online.publicKey, before)).toEqual(credential);
  });

  it('is refused once expired, signed by another, altered, or not a credential at all', () => {
    const text = issueCredential(credential, online);
    const refusal = (given: string, now = before) => {
      try {
        verifyCredential(given, online.publicKey, now);
      } catch (error) {
        return (error as { code: string }).code;
      }
      return 'accepted';
    };
    expect(refusal(text, Date.parse(credential.expires))).toBe('TRUST_EXPIRED');
    expect(refusal(issueCredential(credential, generateKeyPair()))).toBe('TRUST_CREDENTIAL');
    const other = Buffer.from(JSON.stringify({ ...credential, deviceId: 'cam-2' }));
    expect(refusal(`esc1.${other.toString('base64url')}.${text.split('.')[2] ?? ''}`)).toBe(
      'TRUST_CREDENTIAL',
    );
    for (const nonsense of ['', 'secret', 'esc1..', `${text}.more`, 'x'.repeat(10_000)]) {
      expect(refusal(nonsense)).toBe('TRUST_CREDENTIAL');
    }
  });
});

describe('a claim token', () => {
  it('carries the pin, and its secret is known by its hash alone', () => {
    const made = createClaimToken(online.keyId);
    const token = parseClaimToken(made.text);
    expect(token).toMatchObject({ id: made.id, rootKeyId: online.keyId });
    expect(claimSecretMatches(token, made.secretSha256)).toBe(true);
    expect(claimSecretMatches({ ...token, secret: 'guess' }, made.secretSha256)).toBe(false);
  });

  it('is refused when cut, without being repeated in the message', () => {
    const { text } = createClaimToken(online.keyId);
    expect(() => parseClaimToken(text.slice(0, -1))).toThrow(
      expect.objectContaining({
        code: 'TRUST_CLAIM_TOKEN',
        message: expect.not.stringContaining(text.slice(10, 30)),
      }),
    );
  });
});
