import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { claimTokenSchema, type ClaimToken } from '@espalier/protocol';
import { TrustError } from './errors.js';

/**
 * Makes a claim token that pins a root key.
 * @param rootKeyId hex SHA-256 of the raw root public key
 * @returns `text` for the device; `id` and `secretSha256` for the server to keep
 */
export function createClaimToken(rootKeyId: string): {
  text: string;
  id: string;
  secretSha256: string;
} {
  const id = randomBytes(9).toString('base64url');
  const secret = randomBytes(24).toString('base64url');
  return { text: `esp1.${id}.${secret}.${rootKeyId}`, id, secretSha256: sha256(secret) };
}

/**
 * Takes a claim token apart; `rootKeyId` is the pin for {@link trustFirstRoot}.
 * @throws TrustError TRUST_CLAIM_TOKEN; the message never repeats the token
 */
export function parseClaimToken(text: string): ClaimToken {
  const parsed = claimTokenSchema.safeParse(text);
  if (!parsed.success) {
    throw new TrustError(
      'TRUST_CLAIM_TOKEN',
      'The claim token is not of the form esp1.<id>.<secret>.<root key id>; copy it whole.',
    );
  }
  return parsed.data;
}

/** Whether a token's secret is the one whose SHA-256 was kept, compared in constant time. */
export function claimSecretMatches(token: ClaimToken, secretSha256: string): boolean {
  const kept = Buffer.from(secretSha256, 'hex');
  const given = Buffer.from(sha256(token.secret), 'hex');
  return kept.byteLength === given.byteLength && timingSafeEqual(kept, given);
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
