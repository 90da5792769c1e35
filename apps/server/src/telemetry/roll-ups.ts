import { Injectable, Logger } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { telemetrySchema } from '@espalier/protocol';
import { z } from 'zod';
import { Database, type Transaction } from '../persistence/database.js';
import { instantColumn, jsonColumn } from '../persistence/sql.js';
import { DeviceTags, type Tags } from './device-tags.js';
import { RESOLUTIONS, startOf, type Resolution } from './resolutions.js';
import { RollUp, rollUpSchema } from './roll-up.js';

const EVERY_MS = 5_000;
const PAGE = 2_000;
const ROWS_BEFORE_OTHERS = 50;
/** Counter with the id of the last window that was rolled up. */
const CURSOR = 'rolled-up';
const NO_TAGS: Tags = { deviceClass: 'unknown', labels: '' };

const cursorSchema = z.object({ value: z.coerce.number() });
const windowRowSchema = z.object({
  id: z.coerce.number(),
  deviceId: z.string(),
  from: instantColumn,
  to: instantColumn,
  body: jsonColumn(telemetrySchema),
  receivedAt: instantColumn,
});
type WindowRow = z.infer<typeof windowRowSchema>;
const bodyRowSchema = z.object({ body: jsonColumn(rollUpSchema) });

interface Bucket {
  readonly resolution: Resolution;
  readonly start: Date;
  readonly releaseId: string;
  readonly variantId: string;
  readonly tags: Tags;
  readonly rollUp: RollUp;
}

/**
 * Adds new windows to their minute, hour and day, a page at a time. How far it came is stored in the
 * same transaction as the sums, so that after a crash no window is missing and none counted twice.
 */
@Injectable()
export class RollUps {
  private readonly logger = new Logger('roll-ups');
  private working = false;
  private behind = 0;

  constructor(
    private readonly database: Database,
    private readonly tags: DeviceTags,
  ) {}

  /** Seconds from the arrival of the last window that was rolled up to its rolling up. */
  get lagSeconds(): number {
    return this.behind;
  }

  @Interval(EVERY_MS)
  async tick(): Promise<void> {
    if (this.working) return;
    this.working = true;
    try {
      while ((await this.next()) === PAGE);
    } catch (cause) {
      this.logger.error(cause);
    } finally {
      this.working = false;
    }
  }

  /** Rolls the next page up. @returns how many windows it had */
  async next(): Promise<number> {
    const { sql } = this.database.read;
    const [cursor] = await sql.all(cursorSchema, 'SELECT "value" FROM "Counter" WHERE "name" = ?', [
      CURSOR,
    ]);
    const rows = await sql.all(
      windowRowSchema,
      `SELECT "id", "deviceId", "from", "to", "body", "receivedAt" FROM "TelemetryWindow"
       WHERE "id" > ? ORDER BY "id" LIMIT ?`,
      [cursor?.value ?? 0, PAGE],
    );
    const last = rows.at(-1);
    if (!last) {
      this.behind = 0;
      return 0;
    }
    const tags = await this.tags.of(rows.map(({ deviceId }) => deviceId));
    const buckets = [...bucketsOf(rows, tags).values()];
    await this.database.write((transaction) => store(transaction, buckets, last.id));
    this.behind = (Date.now() - last.receivedAt.getTime()) / 1000;
    return rows.length;
  }
}

function bucketsOf(
  rows: readonly WindowRow[],
  tags: ReadonlyMap<string, Tags>,
): Map<string, Bucket> {
  const buckets = new Map<string, Bucket>();
  for (const { deviceId, from, to, body } of rows) {
    const { releaseId, variantId } = body.running;
    const own = tags.get(deviceId) ?? NO_TAGS;
    const seconds = Math.max(0, to.getTime() - from.getTime()) / 1000;
    const window = new RollUp();
    window.add(body, seconds);
    for (const resolution of RESOLUTIONS) {
      const start = startOf(resolution, to);
      const key = [resolution, start.getTime(), releaseId, variantId, own.deviceClass, own.labels];
      const text = key.join('\n');
      const bucket = buckets.get(text) ?? {
        ...{ resolution, start, releaseId, variantId, tags: own },
        rollUp: new RollUp(),
      };
      bucket.rollUp.merge(window);
      buckets.set(text, bucket);
    }
  }
  return buckets;
}

async function store(
  { sql }: Transaction,
  buckets: readonly Bucket[],
  lastId: number,
): Promise<void> {
  for (const [at, { resolution, start, releaseId, variantId, tags, rollUp }] of buckets.entries()) {
    const key = [resolution, start, releaseId, variantId, tags.deviceClass, tags.labels];
    const [row] = await sql.all(
      bodyRowSchema,
      `SELECT "body" FROM "RollUp" WHERE "resolution" = ? AND "start" = ? AND "releaseId" = ?
       AND "variantId" = ? AND "deviceClass" = ? AND "labels" = ?`,
      key,
    );
    if (row) rollUp.mergeStored(row.body);
    await sql.run(
      `INSERT INTO "RollUp" ("resolution", "start", "releaseId", "variantId", "deviceClass", "labels", "body")
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT ("resolution", "start", "releaseId", "variantId", "deviceClass", "labels")
       DO UPDATE SET "body" = excluded."body"`,
      [...key, JSON.stringify(rollUp.stored())],
    );
    // SQLite answers at once, so that nothing else would get its turn.
    if (at % ROWS_BEFORE_OTHERS === ROWS_BEFORE_OTHERS - 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await sql.run(
    `INSERT INTO "Counter" ("name", "value") VALUES (?, ?)
     ON CONFLICT ("name") DO UPDATE SET "value" = excluded."value"`,
    [CURSOR, lastId],
  );
}
