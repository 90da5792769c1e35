import { Injectable } from '@nestjs/common';
import { labelsSchema, releaseSchema, runningSchema } from '@espalier/protocol';
import type { Member, Previous, RolloutVariant } from '@espalier/rollout';
import { z } from 'zod';
import { ServerError } from '../errors.js';
import type { Device, Release } from '../generated/prisma/client.js';
import { Library } from '../models/library.js';
import type { Database, Transaction } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';
import type { Assignment } from '../tuning/schemas.js';
import { LIVE } from './rollout-store.js';

const DEVICES_AT_ONCE = 500;

/** When a device failed lately, milliseconds since 1970. */
export const faultsSchema = z.array(z.number());

/** A device of a plan that does not enter the rollout, and why. */
export interface Misfit {
  readonly deviceId: string;
  readonly why: string;
}

/** Who enters a rollout, with what each could have and what it goes back to. */
@Injectable()
export class Members {
  constructor(private readonly library: Library) {}

  /** The release's variants, with the accuracy that their compression reports give. */
  async variantsOf(release: Release): Promise<Record<string, RolloutVariant>> {
    const candidates = new Map(
      (await this.library.candidates(release.modelId)).map((one) => [one.id, one]),
    );
    return Object.fromEntries(
      fromJson(releaseSchema, release.document).variants.map(({ id, model }) => {
        const quality = candidates.get(id)?.report.quality ?? null;
        const isAccuracy = quality !== null && quality.higherIsBetter;
        return [
          id,
          { modelSha256: model.sha256, expectedAccuracy: isAccuracy ? quality.after : null },
        ];
      }),
    );
  }

  /** Members of a plan, and those of it that are none. */
  async of(
    client: Database['read'] | Transaction,
    assignments: readonly Assignment[],
    variants: Readonly<Record<string, RolloutVariant>>,
  ): Promise<{ members: Member[]; misfits: Misfit[] }> {
    const members: Member[] = [];
    const misfits: Misfit[] = [];
    for (let at = 0; at < assignments.length; at += DEVICES_AT_ONCE) {
      const page = assignments.slice(at, at + DEVICES_AT_ONCE);
      const rows = await client.device.findMany({
        where: { id: { in: page.map(({ deviceId }) => deviceId) } },
      });
      const byId = new Map(rows.map((row) => [row.id, row]));
      for (const assignment of page) {
        const device = byId.get(assignment.deviceId);
        const why = misfitOf(assignment, device, variants);
        if (why !== null || !device || assignment.candidateId === null) {
          misfits.push({ deviceId: assignment.deviceId, why: why ?? 'the device is gone' });
          continue;
        }
        members.push({
          deviceId: device.id,
          variantId: assignment.candidateId,
          previous: await this.previousOf(client, device),
          labels: fromJson(labelsSchema, device.labels),
          alternatives: alternativesOf(assignment, variants),
          faultsAt: fromJson(faultsSchema, device.faults),
        });
      }
    }
    return { members, misfits };
  }

  /** Members that another rollout has, which has not ended: device id to that rollout's. */
  async busy(
    client: Database['read'] | Transaction,
    deviceIds: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    const open = await client.rollout.findMany({
      where: { status: { in: [...LIVE] } },
      select: { id: true },
    });
    const busy = new Map<string, string>();
    for (let at = 0; at < deviceIds.length; at += DEVICES_AT_ONCE) {
      const rows = await client.rolloutDevice.findMany({
        where: {
          rolloutId: { in: open.map(({ id }) => id) },
          deviceId: { in: deviceIds.slice(at, at + DEVICES_AT_ONCE) },
        },
        select: { deviceId: true, rolloutId: true },
      });
      for (const { deviceId, rolloutId } of rows) busy.set(deviceId, rolloutId);
    }
    return busy;
  }

  /** @throws ServerError ROLLOUT_DEVICE_BUSY */
  async refuseBusy(transaction: Transaction, members: readonly Member[]): Promise<void> {
    const [first] = await this.busy(
      transaction,
      members.map(({ deviceId }) => deviceId),
    );
    if (!first) return;
    throw new ServerError(
      'ROLLOUT_DEVICE_BUSY',
      409,
      `${first[0]} is in rollout ${first[1]}, which has not ended; abort that one first.`,
    );
  }

  /** What a device runs now, if it can be sent back to it. */
  private async previousOf(
    client: Database['read'] | Transaction,
    device: Device,
  ): Promise<Previous | null> {
    const running = fromJson(runningSchema.nullable(), device.running);
    if (!running) return null;
    const release = await client.release.findUnique({
      where: { id: running.releaseId },
      select: { state: true },
    });
    return release?.state === 'signed' ? running : null;
  }
}

function misfitOf(
  { candidateId, reasons }: Assignment,
  device: Device | undefined,
  variants: Readonly<Record<string, RolloutVariant>>,
): string | null {
  if (!device) return 'the device is gone';
  if (device.revokedAt !== null) return `revoked since ${device.revokedAt.toISOString()}`;
  if (candidateId === null) return reasons.join('; ') || 'no candidate fits';
  if (!Object.hasOwn(variants, candidateId)) {
    return `its candidate ${candidateId} is not in the release`;
  }
  return device.quarantinedAt === null
    ? null
    : `in quarantine since ${device.quarantinedAt.toISOString()}`;
}

/** The other variants of the release that fit the device, the most accurate first. */
function alternativesOf(
  { candidateId, excluded }: Assignment,
  variants: Readonly<Record<string, RolloutVariant>>,
): string[] {
  const unfit = new Set(excluded.map((one) => one.candidateId));
  return Object.entries(variants)
    .filter(([id]) => id !== candidateId && !unfit.has(id))
    .sort(([, a], [, b]) => (b.expectedAccuracy ?? 0) - (a.expectedAccuracy ?? 0))
    .map(([id]) => id);
}
