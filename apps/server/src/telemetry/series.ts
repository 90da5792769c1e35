import { RESOLUTIONS, type Figures, type Resolution, type SeriesView } from '@espalier/protocol';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { ServerError } from '../errors.js';
import { parseSelector } from '../fleet/selector.js';
import { Database } from '../persistence/database.js';
import { instantColumn, jsonColumn } from '../persistence/sql.js';
import { AccuracyEstimate } from './accuracy-estimate.js';
import { labelsMatch } from './device-tags.js';
import { LENGTH_MS, startOf } from './resolutions.js';
import { References, type Reference } from './references.js';
import { figuresOf, RollUp, rollUpSchema } from './roll-up.js';
import type { SeriesQuery } from './schemas.js';

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

const nameSchema = z.object({ id: z.string(), modelName: z.string() });
/** Of releases that are not known here. */
const UNKNOWN_MODEL = 'unknown';

type KeyOf = (row: RollUpRow) => string;
const KEYS: Readonly<Record<Exclude<SeriesQuery['by'], 'model'>, KeyOf>> = {
  all: () => 'all',
  release: ({ releaseId }) => releaseId,
  variant: ({ releaseId, variantId }) => `${releaseId}/${variantId}`,
  class: ({ deviceClass }) => deviceClass,
  labels: ({ labels }) => labels,
};

type Span = Pick<SeriesQuery, 'from' | 'to' | 'resolution'>;

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
    const { from, to } = spanOf(query, now);
    for (const resolution of resolutionsOf(query, from, to)) {
      const rows = await this.rows(resolution, from, to, query);
      if (rows.length > MOST_ROWS) continue;
      const references = await this.references.ofAll(rows.map(({ variantId }) => variantId));
      const keyOf = await this.keyBy(query.by, rows);
      return viewOf(resolution, from, to, sumsOf(rows, keyOf, references));
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

  /** To which series a row belongs. */
  private async keyBy(by: SeriesQuery['by'], rows: readonly RollUpRow[]): Promise<KeyOf> {
    if (by !== 'model') return KEYS[by];
    const ids = [...new Set(rows.map(({ releaseId }) => releaseId))];
    const named = await this.database.read.sql.all(
      nameSchema,
      `SELECT "id", "modelName" FROM "Release" WHERE "id" IN (${ids.map(() => '?').join(', ')})`,
      ids,
    );
    const names = new Map(named.map(({ id, modelName }) => [id, modelName]));
    return ({ releaseId }) => names.get(releaseId) ?? UNKNOWN_MODEL;
  }
}

/** Sums, and what they let one estimate. */
export class Point {
  readonly rollUp = new RollUp();
  readonly estimate = new AccuracyEstimate();

  /** Adds what a variant measured; without a reference of it nothing is estimated. */
  add(own: RollUp, reference: Reference | undefined): void {
    this.rollUp.merge(own);
    this.estimate.add(own.sketch, reference);
  }

  merge(other: Point): void {
    this.rollUp.merge(other.rollUp);
    this.estimate.merge(other.estimate);
  }

  figures(): Figures {
    return figuresOf(this.rollUp, this.estimate);
  }
}

/** The time that is asked for. */
export function spanOf({ from, to }: Span, now: Date): { from: Date; to: Date } {
  const end = to ? new Date(to) : now;
  return { from: from ? new Date(from) : new Date(end.getTime() - DAY_MS), to: end };
}

/** Resolutions that keep to the bound of points over that time, the finest first. */
export const resolutionsOf = ({ resolution }: Span, from: Date, to: Date): Resolution[] =>
  RESOLUTIONS.filter(
    (one) =>
      (!resolution || resolution === one) &&
      (to.getTime() - from.getTime()) / LENGTH_MS[one] <= MOST_POINTS,
  );

/** Sums by the key of a series and the start of a point. */
export type Sums = Map<string, Map<number, Point>>;

function sumsOf(
  rows: readonly RollUpRow[],
  keyOf: KeyOf,
  references: ReadonlyMap<string, Reference>,
): Sums {
  const series: Sums = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    const points = series.get(key) ?? new Map<number, Point>();
    if (!series.has(key) && series.size >= MOST_SERIES) continue;
    series.set(key, points);
    const point = points.get(row.start.getTime()) ?? new Point();
    point.add(RollUp.of(row.body), references.get(row.variantId));
    points.set(row.start.getTime(), point);
  }
  return series;
}

/** Sums as they are shown. */
export function viewOf(resolution: Resolution, from: Date, to: Date, series: Sums): SeriesView {
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
