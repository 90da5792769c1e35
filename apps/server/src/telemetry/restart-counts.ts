import { Injectable } from '@nestjs/common';
import { telemetrySchema } from '@espalier/protocol';
import { z } from 'zod';
import { Database } from '../persistence/database.js';
import { jsonColumn } from '../persistence/sql.js';
import type { StoredWindow } from './windows.js';

const MOST_KEPT = 100_000;
const AT_ONCE = 500;

const rowSchema = z.object({
  deviceId: z.string(),
  body: jsonColumn(telemetrySchema.pick({ restarts: true })),
});

type Counted = Pick<StoredWindow, 'deviceId'> & {
  readonly body: Pick<StoredWindow['body'], 'restarts'>;
};

/**
 * Of each window, how many restarts of its device it is the first to tell of: devices say in each how
 * often they were restarted in all.
 * @param windows in order @param told by devices before; what one tells first is taken as known
 */
export function freshRestarts(
  windows: readonly Counted[],
  told: ReadonlyMap<string, number> = new Map(),
): number[] {
  const last = new Map<string, number>();
  return windows.map(({ deviceId, body: { restarts } }) => {
    const before = last.get(deviceId) ?? told.get(deviceId) ?? restarts;
    last.set(deviceId, Math.max(before, restarts));
    return Math.max(0, restarts - before);
  });
}

/** How often each device was restarted, as its last window told. */
@Injectable()
export class RestartCounts {
  private readonly told = new Map<string, number>();

  constructor(private readonly database: Database) {}

  /** {@link freshRestarts} of a page of windows; what they tell counts once it is remembered. */
  async fresh(page: readonly StoredWindow[]): Promise<number[]> {
    const [first] = page;
    if (!first) return [];
    const ids = new Set(page.map(({ deviceId }) => deviceId));
    await this.readBack(
      [...ids].filter((id) => !this.told.has(id)),
      first.id,
    );
    return freshRestarts(page, this.told);
  }

  /** Windows that were taken into sums. */
  remember(page: readonly Counted[]): void {
    for (const { deviceId, body } of page) {
      const before = this.told.get(deviceId) ?? 0;
      this.told.delete(deviceId);
      this.told.set(deviceId, Math.max(before, body.restarts));
    }
    for (const id of this.told.keys()) {
      if (this.told.size <= MOST_KEPT) return;
      this.told.delete(id);
    }
  }

  private async readBack(deviceIds: readonly string[], before: number): Promise<void> {
    for (let at = 0; at < deviceIds.length; at += AT_ONCE) {
      const some = deviceIds.slice(at, at + AT_ONCE);
      const rows = await this.database.read.sql.all(
        rowSchema,
        `SELECT "deviceId", "body" FROM "TelemetryWindow" WHERE "id" IN
         (SELECT MAX("id") FROM "TelemetryWindow" WHERE "deviceId" IN (${some.map(() => '?').join(', ')})
          AND "id" < ? GROUP BY "deviceId")`,
        [...some, before],
      );
      this.remember(rows);
    }
  }
}
