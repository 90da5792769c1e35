import { clusteredMean, estimateLevel, meanInterval, shareInterval } from '@espalier/evidence';
import type { AgreementFigures, AgreementView } from '@espalier/protocol';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { ServerError } from '../errors.js';
import type { ShadowSample } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';
import { instantColumn } from '../persistence/sql.js';
import { startOf } from '../telemetry/resolutions.js';
import { denseClassSchema } from './judge-messages.js';
import type { AgreementQuery, ShadowSamplePage, ShadowSampleQuery } from './schemas.js';
import { TALLIED, type Tallied } from './tallies.js';

const DAY_MS = 86_400_000;
const LONGEST_DAYS = 31;
const MOST_ROWS = 50_000;
const MOST_SERIES = 200;
/** What samples of one device have in common at least, as rollouts take it for labels. */
const CORRELATION = 0.1;

const number = z.coerce.number();
const rowSchema = z.object({
  hour: instantColumn,
  modelId: z.string(),
  releaseId: z.string(),
  variantId: z.string(),
  deviceId: z.string(),
  ...(Object.fromEntries(TALLIED.map((name) => [name, number])) as Record<Tallied, typeof number>),
});
type Row = z.infer<typeof rowSchema>;
type Sums = Record<Tallied, number>;

/** How often devices' models and the dense ones agree, from the counts of judged samples. */
@Injectable()
export class Agreement {
  constructor(private readonly database: Database) {}

  /** @throws ServerError REQUEST_INVALID when it is too much at once */
  async of(query: AgreementQuery, now: Date): Promise<AgreementView> {
    const to = query.to ? new Date(query.to) : now;
    const from = startOf(
      'hour',
      query.from ? new Date(query.from) : new Date(to.getTime() - DAY_MS),
    );
    const rows =
      to.getTime() - from.getTime() > LONGEST_DAYS * DAY_MS
        ? null
        : await this.rows(from, to, query);
    if (!rows || rows.length > MOST_ROWS) {
      throw new ServerError(
        'REQUEST_INVALID',
        400,
        `from, to: this is more than ${LONGEST_DAYS} days or ${MOST_ROWS} devices' hours; ask for less time, or for one variant.`,
      );
    }
    const groups = new Map<string, Row[]>();
    for (const row of rows) {
      const key = keyOf(row, query.by);
      const group = groups.get(key) ?? [];
      group.push(row);
      groups.set(key, group);
    }
    const series = [...groups]
      .map(([key, own]) => ({ key, total: figuresOf(own), points: pointsOf(own) }))
      .sort((a, b) => b.total.judged - a.total.judged || (a.key < b.key ? -1 : 1))
      .slice(0, MOST_SERIES);
    return { from: from.toISOString(), to: to.toISOString(), series };
  }

  /** Single samples, the newest first. */
  async samples(query: ShadowSampleQuery): Promise<ShadowSamplePage> {
    const { modelId, variantId, deviceId, state, agreed, cursor, limit } = query;
    const rows = await this.database.read.shadowSample.findMany({
      where: {
        ...(modelId === undefined ? {} : { modelId }),
        ...(variantId === undefined ? {} : { variantId }),
        ...(deviceId === undefined ? {} : { deviceId }),
        ...(state === undefined ? {} : { state }),
        ...(agreed === undefined ? {} : { agreed: Number(agreed) }),
        ...(cursor === undefined ? {} : { id: { lt: cursor } }),
      },
      omit: { input: true },
      orderBy: { id: 'desc' },
      take: limit + 1,
    });
    const samples = rows.slice(0, limit).map(sampleOf);
    return { samples, next: rows.length > limit ? (samples.at(-1)?.id ?? null) : null };
  }

  private rows(from: Date, to: Date, query: AgreementQuery): Promise<Row[]> {
    const where = ['"hour" >= ?', '"hour" < ?'];
    const values: (string | Date)[] = [from, to];
    for (const column of ['modelId', 'releaseId', 'variantId', 'deviceId'] as const) {
      const value = query[column];
      if (value === undefined) continue;
      where.push(`"${column}" = ?`);
      values.push(value);
    }
    return this.database.read.sql.all(
      rowSchema,
      `SELECT "hour", "modelId", "releaseId", "variantId", "deviceId",
       ${TALLIED.map((name) => `"${name}"`).join(', ')}
       FROM "ShadowTally" WHERE ${where.join(' AND ')} ORDER BY "hour" LIMIT ${MOST_ROWS + 1}`,
      values,
    );
  }
}

/** Figures over some devices' hours. */
export function figuresOf(
  rows: readonly (Sums & { readonly deviceId: string })[],
): AgreementFigures {
  const devices = new Map<string, Sums>();
  for (const row of rows) {
    const sums = devices.get(row.deviceId) ?? zeros();
    for (const name of TALLIED) sums[name] += row[name];
    devices.set(row.deviceId, sums);
  }
  const each = [...devices.values()];
  const total = zeros();
  for (const sums of each) for (const name of TALLIED) total[name] += sums[name];
  const level = estimateLevel(
    each.map(({ classified, agreed }) => ({ labels: classified, correct: agreed })),
    CORRELATION,
  );
  const distance = clusteredMean(
    each.map(({ compared, distanceSum, distanceSquares }) => ({
      ...{ count: compared, sum: distanceSum, squares: distanceSquares },
    })),
    CORRELATION,
  );
  const { judged, classified, agreed, failed, refused, tooLarge, overBudget, dropped } = total;
  return {
    devices: each.filter((sums) => sums.judged > 0).length,
    judged,
    agreement: level && {
      ...{ classified, agreed, value: level.level },
      interval: shareInterval(level.level, level.variance, level.labels),
    },
    distance: distance && {
      ...{ compared: distance.count, mean: distance.mean, interval: meanInterval(distance) },
    },
    ...{ failed, refused, tooLarge, overBudget, dropped },
  };
}

const zeros = (): Sums => Object.fromEntries(TALLIED.map((name) => [name, 0])) as Sums;

function pointsOf(rows: readonly Row[]): AgreementView['series'][number]['points'] {
  const hours = new Map<number, Row[]>();
  for (const row of rows) {
    const own = hours.get(row.hour.getTime()) ?? [];
    own.push(row);
    hours.set(row.hour.getTime(), own);
  }
  return [...hours].map(([hour, own]) => ({
    start: new Date(hour).toISOString(),
    ...figuresOf(own),
  }));
}

function keyOf(row: Row, by: AgreementQuery['by']): string {
  switch (by) {
    case 'all':
      return 'all';
    case 'model':
      return row.modelId;
    case 'release':
      return row.releaseId;
    case 'variant':
      return `${row.releaseId}/${row.variantId}`;
    case 'device':
      return row.deviceId;
  }
}

const deviceOutputSchema = z.union([
  denseClassSchema.extend({ kind: z.literal('class') }),
  z.object({ kind: z.literal('values') }),
]);

function sampleOf(row: Omit<ShadowSample, 'input'>): ShadowSamplePage['samples'][number] {
  const { id, deviceId, modelId, releaseId, variantId, bytes, inputSha256, distance } = row;
  const output = fromJson(deviceOutputSchema, row.output);
  return {
    ...{ id, deviceId, modelId, releaseId, variantId, bytes, inputSha256, distance },
    takenAt: row.takenAt.toISOString(),
    state: row.state === 'judged' || row.state === 'failed' ? row.state : 'waiting',
    device:
      output.kind === 'class'
        ? { predicted: output.predicted, confidence: output.confidence }
        : null,
    dense: fromJson(denseClassSchema.nullable(), row.denseOutput),
    agreed: row.agreed === null ? null : row.agreed === 1,
    failure: row.failure,
  };
}
