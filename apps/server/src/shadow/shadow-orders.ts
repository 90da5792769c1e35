import { Injectable, Logger } from '@nestjs/common';
import { labelsSchema, runningSchema, type Running } from '@espalier/protocol';
import { ServerError } from '../errors.js';
import { Prisma } from '../generated/prisma/client.js';
import { DeviceChannel } from '../mqtt/device-channel.js';
import { Database } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';
import { ReleasedModels } from './released-models.js';
import { ShadowPolicies } from './shadow-policies.js';

const PAGE = 500;

/**
 * Tells devices which shadow samples are wanted: each as it connects and as it changes its model, and
 * all that run a model when its policy changes.
 */
@Injectable()
export class ShadowOrders {
  private readonly logger = new Logger('shadow');
  private readonly changes = new Map<string, number>();

  constructor(
    private readonly database: Database,
    private readonly channel: DeviceChannel,
    private readonly policies: ShadowPolicies,
    private readonly models: ReleasedModels,
  ) {}

  /** Tells a device what is wanted of what it runs now; nothing, if nothing is. */
  async tell(deviceId: string, running: Running | null): Promise<void> {
    if (!running || !(await this.policies.any())) return;
    const device = await this.database.read.device.findUnique({
      where: { id: deviceId },
      select: { labels: true },
    });
    const model = await this.models.of(running.releaseId);
    if (!device || !model) return;
    const sampling = await this.policies.samplingOf(
      model.modelId,
      fromJson(labelsSchema, device.labels),
    );
    if (!sampling) return;
    await this.channel.publish(deviceId, 'shadow', { releaseId: running.releaseId, sampling });
  }

  /** Tells a device to send nothing. */
  async silence(deviceId: string, { releaseId }: Running): Promise<void> {
    await this.channel.publish(deviceId, 'shadow', { releaseId, sampling: null });
  }

  /** Tells every device that runs a model what is wanted now; a later change takes this one's place. */
  changed(modelId: string): void {
    const change = (this.changes.get(modelId) ?? 0) + 1;
    this.changes.set(modelId, change);
    this.tellAll(modelId, () => this.changes.get(modelId) === change).catch((cause: unknown) =>
      this.logger.error(cause),
    );
  }

  private async tellAll(modelId: string, isLatest: () => boolean): Promise<void> {
    const releases = await this.models.releasesOf(modelId);
    let after = '';
    for (;;) {
      const rows = await this.database.read.device.findMany({
        where: { id: { gt: after }, revokedAt: null, NOT: { running: { equals: Prisma.DbNull } } },
        select: { id: true, labels: true, running: true },
        orderBy: { id: 'asc' },
        take: PAGE,
      });
      for (const { id, labels, running } of rows) {
        if (!isLatest()) return;
        const { releaseId } = fromJson(runningSchema, running);
        if (!releases.has(releaseId)) continue;
        const sampling = await this.policies.samplingOf(modelId, fromJson(labelsSchema, labels));
        await this.publish(id, { releaseId, sampling });
      }
      const last = rows.at(-1);
      if (!last || rows.length < PAGE) return;
      after = last.id;
    }
  }

  /** One that cannot be told now is told as it connects; what it sends meanwhile is refused. */
  private async publish(
    deviceId: string,
    order: Parameters<typeof this.channel.publish<'shadow'>>[2],
  ): Promise<void> {
    try {
      await this.channel.publish(deviceId, 'shadow', order);
    } catch (cause) {
      if (!(cause instanceof ServerError)) throw cause;
      this.logger.warn({ msg: 'device not told', deviceId, why: cause.message });
    }
  }
}
