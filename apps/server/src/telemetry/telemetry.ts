import { Injectable } from '@nestjs/common';
import { telemetrySchema, type Telemetry as Window } from '@espalier/protocol';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, jsonText } from '../persistence/json.js';
import type { TelemetryQuery } from './schemas.js';

/** What devices measured while they served, window by window. */
@Injectable()
export class Telemetry {
  constructor(private readonly database: Database) {}

  /** Stores one window. */
  async take(transaction: Transaction, deviceId: string, window: Window): Promise<void> {
    const now = new Date();
    const { running, from, to } = window;
    await transaction.sql.run(
      `INSERT INTO "TelemetryWindow"
       ("deviceId", "releaseId", "variantId", "from", "to", "body", "receivedAt")
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      [
        deviceId,
        running.releaseId,
        running.variantId,
        new Date(from),
        new Date(to),
        jsonText(window),
        now,
      ],
    );
    await transaction.sql.run('UPDATE "Device" SET "seenAt" = ?, "running" = ? WHERE "id" = ?', [
      now,
      jsonText(running),
      deviceId,
    ]);
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
