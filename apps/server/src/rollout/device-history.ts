import { Injectable } from '@nestjs/common';
import { Devices } from '../fleet/devices.js';
import { Database } from '../persistence/database.js';
import { Plans } from '../tuning/plans.js';
import type { DeviceChoice, DeviceTargets } from './schemas.js';

const TARGETS_LISTED = 50;

/** What a device was given, and why. */
@Injectable()
export class DeviceHistory {
  constructor(
    private readonly database: Database,
    private readonly devices: Devices,
    private readonly plans: Plans,
  ) {}

  /** The device's targets, the newest first. @throws ServerError NOT_FOUND */
  async targets(deviceId: string): Promise<DeviceTargets> {
    await this.devices.get(deviceId);
    const { read } = this.database;
    const rows = await read.target.findMany({
      where: { deviceId },
      orderBy: { generation: 'desc' },
      take: TARGETS_LISTED,
    });
    const releases = await read.release.findMany({
      where: { id: { in: [...new Set(rows.map(({ releaseId }) => releaseId))] } },
      select: { id: true, modelId: true, modelName: true, version: true },
    });
    return {
      targets: rows.map((row) => {
        const release = releases.find(({ id }) => id === row.releaseId);
        return {
          generation: row.generation,
          purpose: row.purpose === 'revert' ? 'revert' : 'update',
          rolloutId: row.rolloutId,
          releaseId: row.releaseId,
          modelId: release?.modelId ?? null,
          model: release?.modelName ?? null,
          version: release?.version ?? null,
          variantId: row.variantId,
          modelSha256: row.modelSha256,
          createdAt: row.createdAt.toISOString(),
          sentBytes: Number(row.sentBytes),
        };
      }),
    };
  }

  /** What the plan behind the device's last rollout says of it. @throws ServerError NOT_FOUND */
  async choice(deviceId: string): Promise<DeviceChoice> {
    await this.devices.get(deviceId);
    const { read } = this.database;
    const last = await read.rolloutDevice.findMany({
      where: { deviceId },
      select: { rolloutId: true },
    });
    const rollout = await read.rollout.findFirst({
      where: { id: { in: last.map(({ rolloutId }) => rolloutId) } },
      orderBy: [{ createdAt: 'desc' }, { id: 'asc' }],
    });
    if (!rollout) return { choice: null };
    const plan = await this.plans.get(rollout.planId);
    const assignment = plan.assignments.find((one) => one.deviceId === deviceId);
    if (!assignment) return { choice: null };
    return {
      choice: {
        rolloutId: rollout.id,
        planId: plan.id,
        modelId: plan.modelId,
        plannedAt: plan.createdAt,
        assignment,
      },
    };
  }
}
