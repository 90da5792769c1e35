import { Injectable } from '@nestjs/common';
import { telemetrySchema, type Telemetry as Window } from '@espalier/protocol';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import type { TelemetryQuery } from './schemas.js';

/** What devices measured while they served, window by window. */
@Injectable()
export class Telemetry {
  constructor(private readonly database: Database) {}

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
}
