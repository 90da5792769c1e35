import { Injectable } from '@nestjs/common';
import { releaseSchema, type RolloutPreview, type Variant } from '@espalier/protocol';
import { createRollout, type DeviceRecord, type RolloutSpec } from '@espalier/rollout';
import { Library } from '../models/library.js';
import { Database } from '../persistence/database.js';
import { fromExactJson, fromJson } from '../persistence/json.js';
import { Drafts } from './drafts.js';
import { Members } from './members.js';
import type { RolloutRequest } from './schemas.js';
import { stageNames } from './stage-names.js';

const MEASURED_ROLLOUTS = 10;
const MEASURED_DEVICES = 200;

/** Shows what a rollout would do before it is written. */
@Injectable()
export class Previews {
  constructor(
    private readonly database: Database,
    private readonly drafts: Drafts,
    private readonly members: Members,
    private readonly library: Library,
  ) {}

  /** @throws ServerError NOT_FOUND, RELEASE_UNSIGNED, RELEASE_MISMATCH; RolloutError */
  async of(request: RolloutRequest): Promise<RolloutPreview> {
    const draft = await this.drafts.of(request);
    const { read } = this.database;
    const { members, misfits } = await this.members.of(read, draft.assignments, draft.variants);
    const busy = await this.members.busy(
      read,
      members.map(({ deviceId }) => deviceId),
    );
    const state = createRollout('preview', draft.spec, draft.variants, members, Date.now());
    const devices = [...state.devices.values()];
    const variants = fromJson(releaseSchema, draft.release.document).variants;
    const deviceSeconds = await this.measuredSeconds();
    const stages = stagesOf(state.spec, devices, variants, deviceSeconds);
    return {
      devices: devices.length,
      controls: devices.filter(({ stage }) => stage >= state.spec.stages.length).length,
      variants: variants.map(({ id, precision, artifact }) => ({
        variantId: id,
        precision,
        devices: devices.filter(({ variantId }) => variantId === id).length,
        artifactBytes: artifact.length,
        expectedAccuracy: draft.variants[id]?.expectedAccuracy ?? null,
      })),
      stages,
      bytes: stages.reduce((sum, { bytes }) => sum + bytes, 0),
      seconds: stages.reduce((sum, { seconds }) => sum + seconds, 0),
      deviceSeconds,
      expectedAccuracy: await this.expected(draft.release.modelId, devices),
      misfits: [
        ...misfits,
        ...[...busy].map(([deviceId, rolloutId]) => ({
          deviceId,
          why: `in rollout ${rolloutId}, which has not ended`,
        })),
      ],
    };
  }

  /** Median seconds from target to success of the devices updated last. */
  private async measuredSeconds(): Promise<number | null> {
    const rollouts = await this.database.read.rollout.findMany({
      orderBy: { updatedAt: 'desc' },
      take: MEASURED_ROLLOUTS,
      select: { id: true },
    });
    const rows = await this.database.read.rolloutDevice.findMany({
      where: { status: 'active', rolloutId: { in: rollouts.map(({ id }) => id) } },
      take: MEASURED_DEVICES,
    });
    const targets = await this.database.read.target.findMany({
      where: {
        purpose: 'update',
        OR: rows.map(({ rolloutId, deviceId }) => ({ rolloutId, deviceId })),
      },
      orderBy: { generation: 'asc' },
    });
    const sentAt = new Map(
      targets.map((target) => [`${String(target.rolloutId)}/${target.deviceId}`, target.createdAt]),
    );
    const seconds = rows
      .flatMap(({ rolloutId, deviceId, record }) => {
        const sent = sentAt.get(`${rolloutId}/${deviceId}`);
        const { since } = fromExactJson<DeviceRecord>(record);
        return sent ? [(since - sent.getTime()) / 1000] : [];
      })
      .sort((a, b) => a - b);
    return seconds[Math.floor(seconds.length / 2)] ?? null;
  }

  private async expected(
    modelId: string,
    devices: readonly DeviceRecord[],
  ): Promise<RolloutPreview['expectedAccuracy']> {
    const quality = new Map(
      (await this.library.candidates(modelId)).map(({ id, report }) => [id, report.quality]),
    );
    let before = 0;
    let after = 0;
    for (const { variantId } of devices) {
      const own = quality.get(variantId);
      if (!own?.higherIsBetter) return null;
      before += own.before / devices.length;
      after += own.after / devices.length;
    }
    return { before, after };
  }
}

function stagesOf(
  spec: RolloutSpec,
  devices: readonly DeviceRecord[],
  variants: readonly Variant[],
  deviceSeconds: number | null,
): RolloutPreview['stages'] {
  const bytesOf = new Map(variants.map(({ id, artifact }) => [id, artifact.length]));
  const names = stageNames(spec).slice(0, spec.control?.release === false ? -1 : undefined);
  return names.map((name, stage) => {
    const own = devices.filter((device) => device.stage === stage);
    const waves = Math.ceil(own.length / spec.maxInFlight);
    const byRate = spec.maxPerMinute === undefined ? 0 : (own.length / spec.maxPerMinute) * 60;
    const soak = own.length === 0 ? 0 : (spec.stages[stage]?.soakSeconds ?? spec.soakSeconds);
    return {
      name,
      devices: own.length,
      bytes: own.reduce((sum, { variantId }) => sum + (bytesOf.get(variantId) ?? 0), 0),
      seconds: soak + Math.max(waves * (deviceSeconds ?? 0), byRate),
    };
  });
}
