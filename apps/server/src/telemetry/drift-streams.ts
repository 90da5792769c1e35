import { FleetWatch, type FleetVerdict } from '@espalier/evidence';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Database } from '../persistence/database.js';
import { instantColumn } from '../persistence/sql.js';
import { DriftStream, type StoredStream } from './drift-stream.js';
import { References, type Reference } from './references.js';
import { others, readWindows, type StoredWindow, type WindowPage } from './windows.js';

const DAY_MS = 86_400_000;
const PAGE = 2_000;
const ROWS_AT_ONCE = 200;
const READ_AT_ONCE = 500;
/** Streams held in memory, some kilobytes each; others are read back when their windows come. */
const MOST_STREAMS = 20_000;
/** Variants that are watched as a fleet, the last that were heard of. */
const MOST_FLEETS = 24;
/** Counter with the id up to which every window is in a stored stream. */
const CURSOR = 'drift-watched';

const cursorSchema = z.object({ value: z.coerce.number() });
const rowSchema: z.ZodType<StoredStream> = z.object({
  deviceId: z.string(),
  releaseId: z.string(),
  variantId: z.string(),
  windowId: z.coerce.number(),
  evidenceDays: z.coerce.number(),
  family: z.string().nullable(),
  at: instantColumn,
  state: z.string(),
});
const summarySchema = z.object({
  deviceId: z.string(),
  releaseId: z.string(),
  variantId: z.string(),
  evidenceDays: z.coerce.number(),
  family: z.string().nullable(),
  at: instantColumn,
});
/** How a device stands. */
export type DriftSummary = z.infer<typeof summarySchema>;

/**
 * Watches every device's windows for drift, and the devices of a variant together. It follows the
 * roll-ups, whose pages it takes, and stores each stream with the last window that is in it, then how
 * far all have come; after a crash it reads again from there, and what a stream has taken already does
 * nothing. Fleets are not stored: after a restart they look anew.
 */
@Injectable()
export class DriftStreams {
  private readonly streams = new Map<string, DriftStream>();
  private readonly fleets = new Map<string, FleetWatch>();
  private readonly changed = new Set<string>();
  private known: Map<string, DriftSummary> | null = null;
  /** Windows up to this id are in the streams of this process, or wait there. */
  private cursor: number | null = null;

  constructor(
    private readonly database: Database,
    private readonly references: References,
  ) {}

  /** Takes the page that was rolled up, and before it what came since this server last stored. */
  async take({ after, windows }: WindowPage, now: Date): Promise<void> {
    this.cursor ??= await this.storedCursor(after);
    while (this.cursor < after) {
      const missed = await readWindows(this.database, this.cursor, PAGE, after);
      await this.watch(missed);
      this.cursor = missed.length < PAGE ? after : (missed.at(-1)?.id ?? after);
    }
    await this.watch(windows.filter(({ id }) => id > (this.cursor ?? after)));
    this.cursor = Math.max(this.cursor, windows.at(-1)?.id ?? after);
    await this.store(now);
  }

  /** How every device stands that was heard since; all of them are of one family of tests. */
  async since(from: Date): Promise<DriftSummary[]> {
    const known = await this.summaries();
    return [...known.values()].filter(({ at }) => at >= from);
  }

  /** What the devices of a variant show together; null while none has been judged. */
  fleet(releaseId: string, variantId: string, now: Date): FleetVerdict | null {
    return (
      this.fleets.get(keyOf({ releaseId, variantId }))?.verdict(now.getTime() / DAY_MS) ?? null
    );
  }

  private async storedCursor(fallback: number): Promise<number> {
    const [row] = await this.database.read.sql.all(
      cursorSchema,
      'SELECT "value" FROM "Counter" WHERE "name" = ?',
      [CURSOR],
    );
    // Without one, windows from before there was a watch are not gone through.
    return row ? Math.min(row.value, fallback) : fallback;
  }

  private async watch(windows: readonly StoredWindow[]): Promise<void> {
    const references = await this.references.ofAll(
      windows.map(({ body }) => body.running.variantId),
    );
    if (references.size === 0) return;
    const known = await this.summaries();
    await this.readBack(windows, known);
    for (const [at, window] of windows.entries()) {
      const reference = references.get(window.body.running.variantId);
      if (reference && window.sketch) this.takeOne(window, reference);
      if (at % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await others();
    }
  }

  private takeOne(window: StoredWindow, reference: Reference): void {
    const { deviceId } = window;
    const running = window.body.running;
    let stream = this.streams.get(deviceId);
    if (stream && window.id <= stream.lastId) return;
    if (!stream?.isOf(running)) stream = DriftStream.begin(window, reference);
    this.streams.delete(deviceId);
    this.streams.set(deviceId, stream);
    if (stream.take(window, this.fleetOf(running, reference))) this.note(stream);
  }

  private note(stream: DriftStream): void {
    const { deviceId, releaseId, variantId, evidenceDays, family, at } = stream;
    this.changed.add(deviceId);
    this.known?.set(deviceId, { deviceId, releaseId, variantId, evidenceDays, family, at });
  }

  private fleetOf(
    subject: { readonly releaseId: string; readonly variantId: string },
    { bets }: Reference,
  ): FleetWatch {
    const key = keyOf(subject);
    const fleet = this.fleets.get(key) ?? new FleetWatch(bets);
    this.fleets.delete(key);
    this.fleets.set(key, fleet);
    const [oldest] = this.fleets.keys();
    if (this.fleets.size > MOST_FLEETS && oldest !== undefined) this.fleets.delete(oldest);
    return fleet;
  }

  /** Brings streams of these windows back that are stored and not in memory. */
  private async readBack(
    windows: readonly StoredWindow[],
    known: ReadonlyMap<string, DriftSummary>,
  ): Promise<void> {
    const absent = [...new Set(windows.map(({ deviceId }) => deviceId))].filter(
      (id) => known.has(id) && !this.streams.has(id),
    );
    for (let from = 0; from < absent.length; from += READ_AT_ONCE) {
      const ids = absent.slice(from, from + READ_AT_ONCE);
      const rows = await this.database.read.sql.all(
        rowSchema,
        `SELECT "deviceId", "releaseId", "variantId", "windowId", "evidenceDays", "family", "at", "state"
         FROM "DriftStream" WHERE "deviceId" IN (${ids.map(() => '?').join(', ')})`,
        ids,
      );
      for (const row of rows) {
        const reference = await this.references.of(row.variantId);
        if (reference) this.streams.set(row.deviceId, DriftStream.restore(row, reference));
      }
    }
  }

  private async summaries(): Promise<Map<string, DriftSummary>> {
    if (this.known) return this.known;
    const rows = await this.database.read.sql.all(
      summarySchema,
      'SELECT "deviceId", "releaseId", "variantId", "evidenceDays", "family", "at" FROM "DriftStream"',
      [],
    );
    this.known ??= new Map(rows.map((row) => [row.deviceId, row]));
    return this.known;
  }

  private async store(now: Date): Promise<void> {
    const surplus = Math.max(0, this.streams.size - MOST_STREAMS);
    const leaving = [...this.streams.values()].slice(0, surplus);
    const due = [...this.streams.values()].filter((stream) => stream.isDue(now));
    for (const stream of new Set([...leaving, ...due])) {
      const reference = await this.references.of(stream.variantId);
      if (reference && stream.step(this.fleetOf(stream, reference))) this.note(stream);
    }
    const changed = [...this.changed];
    for (let from = 0; from < changed.length; from += ROWS_AT_ONCE) {
      await this.storeSome(changed.slice(from, from + ROWS_AT_ONCE));
    }
    const first = [...this.streams.values()].reduce(
      (least, { firstPendingId }) => Math.min(least, firstPendingId ?? Infinity),
      Infinity,
    );
    await this.storeCursor(Math.min(this.cursor ?? 0, first - 1));
    for (const { deviceId } of leaving) this.streams.delete(deviceId);
  }

  private async storeSome(deviceIds: readonly string[]): Promise<void> {
    const rows = deviceIds.flatMap((id) => this.streams.get(id)?.stored() ?? []);
    await this.database.write(
      async ({ sql }) => {
        for (const row of rows) {
          await sql.run(
            `INSERT INTO "DriftStream"
             ("deviceId", "releaseId", "variantId", "windowId", "evidenceDays", "family", "at", "state")
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT ("deviceId") DO UPDATE SET "releaseId" = excluded."releaseId",
             "variantId" = excluded."variantId", "windowId" = excluded."windowId",
             "evidenceDays" = excluded."evidenceDays", "family" = excluded."family",
             "at" = excluded."at", "state" = excluded."state"`,
            [
              ...[row.deviceId, row.releaseId, row.variantId, row.windowId, row.evidenceDays],
              ...[row.family, row.at, row.state],
            ],
          );
        }
      },
      { patient: true },
    );
    for (const id of deviceIds) this.changed.delete(id);
  }

  private storeCursor(value: number): Promise<number> {
    return this.database.write(
      ({ sql }) =>
        sql.run(
          `INSERT INTO "Counter" ("name", "value") VALUES (?, ?)
           ON CONFLICT ("name") DO UPDATE SET "value" = excluded."value"`,
          [CURSOR, value],
        ),
      { patient: true },
    );
  }
}

const keyOf = ({ releaseId, variantId }: { releaseId: string; variantId: string }): string =>
  `${releaseId}/${variantId}`;
