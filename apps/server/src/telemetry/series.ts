import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { ServerError } from '../errors.js';
import { parseSelector } from '../fleet/selector.js';
import { Database } from '../persistence/database.js';
import { instantColumn, jsonColumn } from '../persistence/sql.js';
import { AccuracyEstimate } from './accuracy-estimate.js';
import { labelsMatch } from './device-tags.js';
import { LENGTH_MS, RESOLUTIONS, startOf, type Resolution } from './resolutions.js';
import { References, type Reference } from './references.js';
import { figuresOf, RollUp, rollUpSchema, type Figures } from './roll-up.js';
import type { SeriesQuery, SeriesView } from './schemas.js';

const MOST_POINTS = 400;
const MOST_SERIES = 50;
const MOST_ROWS = 20_000;
const DAY_MS = 86_400_000;

const rowSchema = z.object({
  start: instantColumn,
  releaseId: z.string(),
  variantId: z.string(),
  deviceClass: z.string(),
  labels: z.string(),
  body: jsonColumn(rollUpSchema),
});
export type RollUpRow = z.infer<typeof rowSchema>;

/** Which roll-ups. */
export interface RollUpFilter {
  readonly releaseId?: string | undefined;
  readonly variantId?: string | undefined;
  readonly deviceClass?: string | undefined;
  /** Name of the model that the release is of. */
  readonly model?: string | undefined;
  readonly selector?: string | undefined;
}

/** Telemetry over time, from roll-ups. */
@Injectable()
export class Series {
  constructor(
    private readonly database: Database,
    private readonly references: References,
  ) {}

  /**
   * Sums by time, at the finest resolution that keeps to the bounds.
   * @throws ServerError REQUEST_INVALID when even days are too many
   */
  async of(query: SeriesQuery, now: Date): Promise<SeriesView> {
    const to = query.to ? new Date(query.to) : now;
    const from = query.from ? new Date(query.from) : new Date(to.getTime() - DAY_MS);
    for (const resolution of RESOLUTIONS) {
      if (query.resolution && query.resolution !== resolution) continue;
      if ((to.getTime() - from.getTime()) / LENGTH_MS[resolution] > MOST_POINTS) continue;
      const rows = await this.rows(resolution, from, to, query);
      if (rows.length > MOST_ROWS) continue;
      const references = await this.references.ofAll(rows.map(({ variantId }) => variantId));
      return view({ resolution, from, to, rows, references }, query);
    }
    throw new ServerError(
      'REQUEST_INVALID',
      400,
      `from, to: this is more than ${MOST_POINTS} points or ${MOST_ROWS} roll-ups; ask for less time, or for one release.`,
    );
  }

  /** Roll-ups that begin from `from` on and before `to`; one more than the bound says too many. */
  async rows(
    resolution: Resolution,
    from: Date,
    to: Date,
    filter: RollUpFilter,
  ): Promise<RollUpRow[]> {
    const where = ['"resolution" = ?', '"start" >= ?', '"start" < ?'];
    const values: (string | Date)[] = [resolution, startOf(resolution, from), to];
    const columns = ['releaseId', 'variantId', 'deviceClass'] as const;
    for (const column of columns) {
      const value = filter[column];
      if (value === undefined) continue;
      where.push(`"${column}" = ?`);
      values.push(value);
    }
    if (filter.model !== undefined) {
      where.push('"releaseId" IN (SELECT "id" FROM "Release" WHERE "modelName" = ?)');
      values.push(filter.model);
    }
    const rows = await this.database.read.sql.all(
      rowSchema,
      `SELECT "start", "releaseId", "variantId", "deviceClass", "labels", "body" FROM "RollUp"
       WHERE ${where.join(' AND ')} ORDER BY "start" LIMIT ${MOST_ROWS + 1}`,
      values,
    );
    const selector = parseSelector(filter.selector ?? '');
    return rows.filter(({ labels }) => labelsMatch(labels, selector));
  }
}

interface Found {
  readonly resolution: Resolution;
  readonly from: Date;
  readonly to: Date;
  readonly rows: readonly RollUpRow[];
  readonly references: ReadonlyMap<string, Reference>;
}

/** Sums, and what they let one estimate. */
class Point {
  readonly rollUp = new RollUp();
  readonly estimate = new AccuracyEstimate();

  add({ variantId, body }: RollUpRow, references: ReadonlyMap<string, Reference>): void {
    const own = RollUp.of(body);
    this.rollUp.merge(own);
    this.estimate.add(own.sketch, references.get(variantId));
  }

  merge(other: Point): void {
    this.rollUp.merge(other.rollUp);
    this.estimate.merge(other.estimate);
  }

  figures(): Figures {
    return figuresOf(this.rollUp, this.estimate);
  }
}

function view({ resolution, from, to, rows, references }: Found, { by }: SeriesQuery): SeriesView {
  const series = new Map<string, Map<number, Point>>();
  for (const row of rows) {
    const key = keyOf(row, by);
    const points = series.get(key) ?? new Map<number, Point>();
    if (!series.has(key) && series.size >= MOST_SERIES) continue;
    series.set(key, points);
    const point = points.get(row.start.getTime()) ?? new Point();
    point.add(row, references);
    points.set(row.start.getTime(), point);
  }
  return {
    resolution,
    from: startOf(resolution, from).toISOString(),
    to: to.toISOString(),
    series: [...series].map(([key, points]) => {
      const total = new Point();
      for (const point of points.values()) total.merge(point);
      return {
        key,
        total: total.figures(),
        points: [...points].map(([start, point]) => ({
          start: new Date(start).toISOString(),
          ...point.figures(),
        })),
      };
    }),
  };
}

function keyOf(row: RollUpRow, by: SeriesQuery['by']): string {
  switch (by) {
    case 'all':
      return 'all';
    case 'release':
      return row.releaseId;
    case 'variant':
      return `${row.releaseId}/${row.variantId}`;
    case 'class':
      return row.deviceClass;
    case 'labels':
      return row.labels;
  }
}
