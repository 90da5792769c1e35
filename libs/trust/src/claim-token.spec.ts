import { claimSecretMatches, createClaimToken, generateKeyPair, parseClaimToken } from './index.js';

const online = generateKeyPair();

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
