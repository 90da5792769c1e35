import { Injectable } from '@nestjs/common';
import {
  manifestSchema,
  signedSchema,
  type Manifest,
  type Signed,
  type TargetMessage,
} from '@espalier/protocol';
import { z } from 'zod';
import { notFound, ServerError } from '../errors.js';
import { Database, raise, type Transaction } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';
import { Keyring } from '../release/keyring.js';

const TARGET_DAYS = 365;
const TIMESTAMP_RENEW_MS = 12 * 3_600_000;
const RELEASES_KEPT = 16;
const generationSchema = z.object({ generation: z.coerce.number() });
const targetRowSchema = z.object({
  deviceId: z.string(),
  generation: z.coerce.number(),
  rolloutId: z.string().nullable(),
  releaseId: z.string(),
  variantId: z.string(),
  modelSha256: z.string(),
});
const manifestsSchema = z.record(z.string(), manifestSchema);

/** What a device is offered. */
export interface OfferRequest {
  readonly deviceId: string;
  readonly rolloutId: string;
  readonly attempt: number;
  readonly purpose: 'update' | 'revert';
  readonly releaseId: string;
  readonly variantId: string;
  readonly modelSha256: string;
}

/** What a device shall get now. */
export interface CurrentOffer {
  readonly target: z.infer<typeof targetRowSchema>;
  readonly manifest: Manifest;
  readonly release: Signed;
}

interface SignedRelease {
  readonly signed: Signed;
  readonly manifests: Readonly<Record<string, Manifest>>;
}

/** Targets: a generation for each, stored before it is sent, signed anew whenever it is. */
@Injectable()
export class Offers {
  private readonly releases = new Map<string, SignedRelease>();
  private timestamp: { signed: Signed; issuedAt: number } | null = null;

  constructor(
    private readonly database: Database,
    private readonly keyring: Keyring,
  ) {}

  /** Stores the device's next target under the next generation, which never falls. */
  async offer(transaction: Transaction, request: OfferRequest): Promise<void> {
    const [next] = await transaction.sql.all(
      generationSchema,
      `UPDATE "Device" SET "generation" = "generation" + 1, "offered" = "generation" + 1
       WHERE "id" = ? RETURNING "generation"`,
      [request.deviceId],
    );
    if (!next) throw notFound(`device ${request.deviceId}`);
    await transaction.sql.run(
      `INSERT INTO "Target" ("deviceId", "generation", "rolloutId", "attempt", "purpose",
       "releaseId", "variantId", "modelSha256", "createdAt") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        request.deviceId,
        next.generation,
        request.rolloutId,
        request.attempt,
        request.purpose,
        request.releaseId,
        request.variantId,
        request.modelSha256,
        new Date(),
      ],
    );
  }

  /** Offers the device nothing from now on; what it runs stays. */
  async withdraw(transaction: Transaction, deviceId: string): Promise<void> {
    await transaction.sql.run('UPDATE "Device" SET "offered" = NULL WHERE "id" = ?', [deviceId]);
  }

  /** The target on offer to a device; null: none. */
  async current(deviceId: string): Promise<CurrentOffer | null> {
    const [target] = await this.database.read.sql.all(
      targetRowSchema,
      `SELECT t."deviceId", t."generation", t."rolloutId", t."releaseId", t."variantId", t."modelSha256"
       FROM "Device" d JOIN "Target" t ON t."deviceId" = d."id" AND t."generation" = d."offered"
       WHERE d."id" = ?`,
      [deviceId],
    );
    const release = target ? await this.signedRelease(target.releaseId) : null;
    const manifest = target ? release?.manifests[target.variantId] : undefined;
    if (!target || !release || !manifest) return null;
    return { target, manifest, release: release.signed };
  }

  /** The message that carries an offer, its target signed now, under this server's epoch. */
  async message(offer: CurrentOffer): Promise<TargetMessage> {
    const { target, manifest, release } = offer;
    const now = Date.now();
    return {
      root: this.keyring.signedRoot,
      ...(this.keyring.formerRoots.length > 0 && { formerRoots: [...this.keyring.formerRoots] }),
      timestamp: await this.currentTimestamp(now),
      target: this.keyring.signTarget({
        type: 'target',
        deviceId: target.deviceId,
        generation: target.generation,
        epoch: this.database.epoch,
        rolloutId: target.rolloutId,
        releaseId: target.releaseId,
        variantId: target.variantId,
        modelSha256: target.modelSha256,
        issued: new Date(now).toISOString(),
        expires: new Date(now + TARGET_DAYS * 86_400_000).toISOString(),
      }),
      release,
      manifest,
    };
  }

  /** A release once it is signed, after which it does not change; the last few are kept. */
  private async signedRelease(id: string): Promise<SignedRelease | null> {
    const kept = this.releases.get(id);
    if (kept) return kept;
    const row = await this.database.read.release.findUnique({ where: { id } });
    const signed = fromJson(signedSchema.nullable(), row?.signed ?? null);
    if (!row || !signed) return null;
    const release = { signed, manifests: fromJson(manifestsSchema, row.manifests) };
    const [oldest] = this.releases.keys();
    if (this.releases.size >= RELEASES_KEPT && oldest !== undefined) this.releases.delete(oldest);
    this.releases.set(id, release);
    return release;
  }

  private async currentTimestamp(now: number): Promise<Signed> {
    if (this.timestamp && now - this.timestamp.issuedAt < TIMESTAMP_RENEW_MS) {
      return this.timestamp.signed;
    }
    const version = await this.database.write((transaction) => raise(transaction, 'timestamp'));
    this.timestamp = { signed: this.keyring.signTimestamp(version, now), issuedAt: now };
    return this.timestamp.signed;
  }
}

/** @throws ServerError RELEASE_UNSIGNED */
export function requireSigned(releaseId: string, signed: Signed | null): Signed {
  if (signed) return signed;
  throw new ServerError(
    'RELEASE_UNSIGNED',
    409,
    `Release ${releaseId} is not signed. Sign it offline and post it to /api/v1/releases/${releaseId}/signatures.`,
  );
}
