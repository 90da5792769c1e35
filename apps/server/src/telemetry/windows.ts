import { decodeSketch, EvidenceError, type WindowSketch } from '@espalier/evidence';
import { telemetrySchema, type Telemetry } from '@espalier/protocol';
import { z } from 'zod';
import type { Database } from '../persistence/database.js';
import { instantColumn, jsonColumn, type Sql } from '../persistence/sql.js';

/** Read at once, before others have their turn. */
const AT_ONCE = 200;
/** Of what PostgreSQL counts by. */
const LARGEST_ID = 2 ** 31 - 1;

const rowSchema = z.object({
  id: z.coerce.number(),
  deviceId: z.string(),
  from: instantColumn,
  to: instantColumn,
  body: jsonColumn(telemetrySchema),
  receivedAt: instantColumn,
});

/** A stored window of a device, its times by this server's clock. */
export interface StoredWindow {
  readonly id: number;
  readonly deviceId: string;
  readonly to: Date;
  readonly seconds: number;
  readonly body: Telemetry;
  /** Null where it has none that can be read. */
  readonly sketch: WindowSketch | null;
  readonly receivedAt: Date;
}

/** Windows that follow each other by their ids, after `after`. */
export interface WindowPage {
  readonly after: number;
  readonly windows: readonly StoredWindow[];
}

/** Reads the windows after an id, in order, at most so many. @param upTo the last id that is wanted */
export const readWindows = (
  database: Pick<Database, 'read'>,
  after: number,
  most: number,
  upTo = LARGEST_ID,
): Promise<StoredWindow[]> => windowsWhere(database, '"id" <= ?', [upTo], { after, most });

/** Reads the windows of a device that ended within a time, in order of their ids, at most so many. */
export const readWindowsOf = (
  database: Pick<Database, 'read'>,
  deviceId: string,
  { from, to, most }: { readonly from: Date; readonly to: Date; readonly most: number },
): Promise<StoredWindow[]> =>
  windowsWhere(database, '"deviceId" = ? AND "to" >= ? AND "to" <= ?', [deviceId, from, to], {
    after: 0,
    most,
  });

async function windowsWhere(
  { read }: Pick<Database, 'read'>,
  condition: string,
  values: Parameters<Sql['all']>[2],
  { after, most }: { readonly after: number; readonly most: number },
): Promise<StoredWindow[]> {
  const windows: StoredWindow[] = [];
  while (windows.length < most) {
    const rows = await read.sql.all(
      rowSchema,
      `SELECT "id", "deviceId", "from", "to", "body", "receivedAt" FROM "TelemetryWindow"
       WHERE ${condition} AND "id" > ? ORDER BY "id" LIMIT ${Math.min(AT_ONCE, most - windows.length)}`,
      [...values, windows.at(-1)?.id ?? after],
    );
    windows.push(...rows.map(storedOf));
    if (rows.length < AT_ONCE) break;
    await others();
  }
  return windows;
}

function storedOf({ from, ...row }: z.infer<typeof rowSchema>): StoredWindow {
  const seconds = Math.max(0, row.to.getTime() - from.getTime()) / 1000;
  return { ...row, seconds, sketch: sketchIn(row.body) };
}

/** Lets others have their turn: SQLite answers at once, so that nothing else would get one. */
export const others = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function sketchIn({ sketch }: Telemetry): WindowSketch | null {
  if (sketch === undefined) return null;
  try {
    return decodeSketch(sketch);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    return null;
  }
}
