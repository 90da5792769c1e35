import { Injectable } from '@nestjs/common';
import {
  telemetrySchema,
  windowTimes,
  type Message,
  type Telemetry as Window,
} from '@espalier/protocol';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, jsonText } from '../persistence/json.js';
import type { TelemetryQuery } from './schemas.js';

/** What devices measured while they served, window by window. */
@Injectable()
export class Telemetry {
  constructor(private readonly database: Database) {}

  /** Stores one window, its times by this server's clock. */
  async take(transaction: Transaction, deviceId: string, message: Message<Window>): Promise<void> {
    const now = new Date();
    const { body: window } = message;
    const { running } = window;
    const { from, to } = windowTimes(message, window, now);
    await transaction.sql.run(
      `INSERT INTO "TelemetryWindow"
       ("deviceId", "releaseId", "variantId", "from", "to", "body", "receivedAt")
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      [deviceId, running.releaseId, running.variantId, from, to, jsonText(window), now],
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
