import { Inject, Injectable } from '@nestjs/common';
import { telemetrySchema, type Telemetry as Window } from '@espalier/protocol';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import type { TelemetryQuery } from './schemas.js';

const FORGET_AT_ONCE = 5_000;

/** What devices measured while they served, window by window. */
@Injectable()
export class Telemetry {
  constructor(
    private readonly database: Database,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  /** Stores one window. */
  async take(transaction: Transaction, deviceId: string, window: Window): Promise<void> {
    const now = new Date();
    await transaction.telemetryWindow.create({
      data: {
        deviceId,
        releaseId: window.running.releaseId,
        variantId: window.running.variantId,
        from: new Date(window.from),
        to: new Date(window.to),
        body: toJson(window),
        receivedAt: now,
      },
    });
    await transaction.device.update({
      where: { id: deviceId },
      data: { seenAt: now, running: toJson(window.running) },
    });
  }

  /** A device's windows, the newest first. */
  async ofDevice(deviceId: string, query: TelemetryQuery): Promise<{ windows: Window[] }> {
    const rows = await this.database.read.telemetryWindow.findMany({
      where: { deviceId, ...(query.since ? { to: { gte: new Date(query.since) } } : {}) },
      orderBy: { id: 'desc' },
      take: query.limit,
    });
    return { windows: rows.map((row) => fromJson(telemetrySchema, row.body)) };
  }

  /** Forgets windows, and ids of messages, older than the configured days; some at a time. */
  async forget(now: Date): Promise<void> {
    const before = new Date(now.getTime() - this.configuration.telemetryDays * 86_400_000);
    const old = await this.database.read.telemetryWindow.findMany({
      where: { receivedAt: { lt: before } },
      select: { id: true },
      orderBy: { id: 'asc' },
      take: FORGET_AT_ONCE,
    });
    const last = old.at(-1)?.id;
    await this.database.write(async (transaction) => {
      if (last !== undefined) {
        await transaction.telemetryWindow.deleteMany({
          where: { id: { lte: last }, receivedAt: { lt: before } },
        });
      }
      await transaction.inbox.deleteMany({ where: { receivedAt: { lt: before } } });
    });
  }
}
