import { randomBytes } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { LIMITS, type ClaimToken, type EnrolRequest, type EnrolResponse } from '@espalier/protocol';
import {
  claimSecretMatches,
  createClaimToken,
  parseClaimToken,
  verifyEnrolRequest,
} from '@espalier/trust';
import { ServerError } from '../errors.js';
import type { ClaimToken as ClaimTokenRow } from '../generated/prisma/client.js';
import { Database, type Transaction } from '../persistence/database.js';
import { toJson } from '../persistence/json.js';
import { Keyring } from '../release/keyring.js';
import { Certificates } from './certificates.js';
import type { ClaimTokenRequest } from './schemas.js';

/** Lets devices in: claim tokens, each good once, traded for a certificate of the device's own. */
@Injectable()
export class Enrolment {
  private readonly logger = new Logger('enrolment');

  constructor(
    private readonly database: Database,
    private readonly keyring: Keyring,
    private readonly certificates: Certificates,
  ) {}

  /** Makes a claim token; its secret is kept as a hash alone. */
  async createToken(request: ClaimTokenRequest): Promise<{ token: string; expires: string }> {
    const token = createClaimToken(this.keyring.rootKeyId);
    const createdAt = new Date();
    const expiresAt = new Date(createdAt.getTime() + request.expiresInSeconds * 1000);
    await this.database.write((transaction) =>
      transaction.claimToken.create({
        data: {
          id: token.id,
          secretHash: token.secretSha256,
          name: request.name ?? null,
          labels: toJson(request.labels),
          expiresAt,
          createdAt,
        },
      }),
    );
    return { token: token.text, expires: expiresAt.toISOString() };
  }

  /**
   * Trades a claim token for a device identity; the token is used up in the same transaction.
   * @throws ServerError CLAIM_TOKEN_REFUSED, REQUEST_INVALID
   * @throws TrustError TRUST_CLAIM_TOKEN, TRUST_KEY, TRUST_PROOF
   */
  async enrol(request: EnrolRequest): Promise<EnrolResponse> {
    const token = parseClaimToken(request.token);
    if (Object.keys(request.labels).length > LIMITS.labelsPerDevice) {
      throw new ServerError('REQUEST_INVALID', 400, `At most ${LIMITS.labelsPerDevice} labels.`);
    }
    const publicKey = verifyEnrolRequest(request);
    const now = new Date();
    const deviceId = deviceIdFor(request.name);
    // So that nobody without a good token has a certificate made.
    await goodToken(this.database.read, token, now);
    const { membership, kept } = await this.certificates.issue(deviceId, publicKey, now.getTime());
    await this.database.write(async (transaction) => {
      const claim = await goodToken(transaction, token, now);
      await transaction.claimToken.update({
        where: { id: token.id },
        data: { usedAt: now, deviceId },
      });
      await transaction.device.create({
        data: {
          id: deviceId,
          name: claim.name ?? request.name,
          labels: toJson({ ...request.labels, ...(claim.labels as Record<string, string>) }),
          publicKey: request.publicKey,
          state: 'enrolled',
          budget: {},
          certificates: [kept],
          createdAt: now,
        },
      });
    });
    this.logger.log({ msg: 'device enrolled', deviceId, name: request.name });
    return { deviceId, root: this.keyring.signedRoot, membership };
  }
}

/** @throws ServerError CLAIM_TOKEN_REFUSED */
async function goodToken(
  database: Pick<Transaction, 'claimToken'>,
  token: ClaimToken,
  now: Date,
): Promise<ClaimTokenRow> {
  const kept = await database.claimToken.findUnique({ where: { id: token.id } });
  if (!kept || !claimSecretMatches(token, kept.secretHash)) throw refused('is not known');
  if (kept.usedAt) throw refused('was used before');
  if (kept.expiresAt <= now) throw refused('has expired');
  return kept;
}

const refused = (why: string): ServerError =>
  new ServerError(
    'CLAIM_TOKEN_REFUSED',
    403,
    `The claim token ${why}. Make a new one with POST /api/v1/claim-tokens.`,
  );

/** The name as far as an id may hold it, and enough randomness that no two are alike. */
function deviceIdFor(name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  return `${slug === '' ? 'device' : slug}-${randomBytes(4).toString('hex')}`;
}
