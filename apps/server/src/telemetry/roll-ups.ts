import { RESOLUTIONS, type Resolution } from '@espalier/protocol';
import { Injectable, Logger } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { z } from 'zod';
import { Database, type Transaction } from '../persistence/database.js';
import { jsonColumn } from '../persistence/sql.js';
import { DeviceTags, type Tags } from './device-tags.js';
import { DriftStreams } from './drift-streams.js';
import { startOf } from './resolutions.js';
import { RestartCounts } from './restart-counts.js';
import { RollUp, rollUpSchema } from './roll-up.js';
import { others, readWindows, type StoredWindow } from './windows.js';

const EVERY_MS = 5_000;
const PAGE = 2_000;
const ROWS_BEFORE_OTHERS = 50;
/** Counter with the id of the last window that was rolled up. */
const CURSOR = 'rolled-up';
const NO_TAGS: Tags = { deviceClass: 'unknown', labels: '' };

const cursorSchema = z.object({ value: z.coerce.number() });
const bodyRowSchema = z.object({ body: jsonColumn(rollUpSchema) });

interface Subject {
  readonly releaseId: string;
  readonly variantId: string;
  readonly tags: Tags;
}
interface Bucket extends Subject {
  readonly resolution: Resolution;
  readonly start: Date;
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
    private readonly drift: DriftStreams,
    private readonly restarts: RestartCounts,
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
    const [cursor] = await this.database.read.sql.all(
      cursorSchema,
      'SELECT "value" FROM "Counter" WHERE "name" = ?',
      [CURSOR],
    );
    const after = cursor?.value ?? 0;
    const windows = await readWindows(this.database, after, PAGE);
    const last = windows.at(-1);
    if (last) {
      await this.rollUp(windows, last.id);
      this.behind = (Date.now() - last.receivedAt.getTime()) / 1000;
    } else {
      this.behind = 0;
    }
    await this.drift.take({ after, windows }, new Date());
    return windows.length;
  }

  private async rollUp(windows: readonly StoredWindow[], lastId: number): Promise<void> {
    const tags = await this.tags.of(windows.map(({ deviceId }) => deviceId));
    const buckets = await bucketsOf(windows, tags, await this.restarts.fresh(windows));
    await this.database.write((transaction) => store(transaction, buckets, lastId));
    this.restarts.remember(windows);
  }
}

/** Windows go into their minutes, minutes into hours and days, so that each sketch is added once. */
async function bucketsOf(
  windows: readonly StoredWindow[],
  tags: ReadonlyMap<string, Tags>,
  restarts: readonly number[],
): Promise<Bucket[]> {
  const buckets = new Map<string, Bucket>();
  const bucketAt = (resolution: Resolution, at: Date, subject: Subject): RollUp => {
    const { releaseId, variantId, tags: own } = subject;
    const start = startOf(resolution, at);
    const key = [resolution, start.getTime(), releaseId, variantId, own.deviceClass, own.labels];
    const text = key.join('\n');
    const bucket = buckets.get(text) ?? {
      ...{ resolution, start, releaseId, variantId, tags: own },
      rollUp: new RollUp(),
    };
    buckets.set(text, bucket);
    return bucket.rollUp;
  };
  for (const [at, { deviceId, to, seconds, body, sketch }] of windows.entries()) {
    const { releaseId, variantId } = body.running;
    const subject = { releaseId, variantId, tags: tags.get(deviceId) ?? NO_TAGS };
    bucketAt('minute', to, subject).add(body, seconds, sketch, restarts[at] ?? 0);
    if (at % ROWS_BEFORE_OTHERS === ROWS_BEFORE_OTHERS - 1) await others();
  }
  for (const minute of [...buckets.values()]) {
    for (const resolution of RESOLUTIONS) {
      if (resolution === 'minute') continue;
      bucketAt(resolution, minute.start, minute).merge(minute.rollUp);
    }
  }
  return [...buckets.values()];
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
    if (at % ROWS_BEFORE_OTHERS === ROWS_BEFORE_OTHERS - 1) {
      await others();
    }
  }
  await sql.run(
    `INSERT INTO "Counter" ("name", "value") VALUES (?, ?)
     ON CONFLICT ("name") DO UPDATE SET "value" = excluded."value"`,
    [CURSOR, lastId],
  );
}
