import { Injectable } from '@nestjs/common';
import { telemetrySchema } from '@espalier/protocol';
import { z } from 'zod';
import { ServerError } from '../errors.js';
import { Database } from '../persistence/database.js';
import { instantColumn, jsonColumn } from '../persistence/sql.js';
import { References, type Reference } from './references.js';
import { startOf } from './resolutions.js';
import { RollUp } from './roll-up.js';
import type { DeviceSeriesQuery, SeriesView } from './schemas.js';
import { Point, resolutionsOf, spanOf, viewOf, type Sums } from './series.js';

const MOST_WINDOWS = 12_000;
const PAGE = 200;

const rowSchema = z.object({
  id: z.coerce.number(),
  from: instantColumn,
  to: instantColumn,
  body: jsonColumn(telemetrySchema),
});
type Row = z.infer<typeof rowSchema>;

/** One device's telemetry over time, a series for each variant, summed from its windows. */
@Injectable()
export class DeviceSeries {
  constructor(
    private readonly database: Database,
    private readonly references: References,
  ) {}

  /**
   * At the finest resolution that keeps to the bound of points.
   * @throws ServerError REQUEST_INVALID when the time has too many windows or days
   */
  async of(deviceId: string, query: DeviceSeriesQuery, now: Date): Promise<SeriesView> {
    const { from, to } = spanOf(query, now);
    const [resolution] = resolutionsOf(query, from, to);
    if (!resolution) throw tooMuch();
    const sums: Sums = new Map();
    let taken = 0;
    let after = 0;
    for (;;) {
      const rows = await this.page(deviceId, from, to, after);
      taken += rows.length;
      if (taken > MOST_WINDOWS) throw tooMuch();
      const references = await this.references.ofAll(
        rows.map(({ body }) => body.running.variantId),
      );
      for (const row of rows) {
        const reference = references.get(row.body.running.variantId);
        add(sums, row, startOf(resolution, row.to).getTime(), reference);
      }
      if (rows.length < PAGE) return viewOf(resolution, from, to, sums);
      after = rows.at(-1)?.id ?? after;
      // SQLite answers at once, so that nothing else would get its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private page(deviceId: string, from: Date, to: Date, after: number): Promise<Row[]> {
    return this.database.read.sql.all(
      rowSchema,
      `SELECT "id", "from", "to", "body" FROM "TelemetryWindow"
       WHERE "deviceId" = ? AND "id" > ? AND "to" >= ? AND "to" <= ? ORDER BY "id" LIMIT ${PAGE}`,
      [deviceId, after, from, to],
    );
  }
}

function add(
  sums: Sums,
  { from, to, body }: Row,
  start: number,
  reference: Reference | undefined,
): void {
  const key = `${body.running.releaseId}/${body.running.variantId}`;
  const points = sums.get(key) ?? new Map<number, Point>();
  sums.set(key, points);
  const point = points.get(start) ?? new Point();
  const own = new RollUp();
  own.add(body, Math.max(0, to.getTime() - from.getTime()) / 1000);
  point.add(own, reference);
  points.set(start, point);
}

const tooMuch = (): ServerError =>
  new ServerError(
    'REQUEST_INVALID',
    400,
    `from, to: this is more than ${MOST_WINDOWS} windows of the device; ask for less time.`,
  );
