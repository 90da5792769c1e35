import { FAMILIES, stabilityIndex, type WindowSketch } from '@espalier/evidence';
import { Injectable } from '@nestjs/common';
import { parseSelector, whereSelected } from '../fleet/selector.js';
import { Prisma } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { RollUp } from '../telemetry/roll-up.js';
import { Series } from '../telemetry/series.js';
import type { AlertMetric, AlertSubject, RuleView } from './schemas.js';

const MEBIBYTE = 2 ** 20;
const DAY_MS = 86_400_000;
/** What drift is measured against: a variant's first days, until so many items are in. */
const REFERENCE_ITEMS = 1_000;
const REFERENCE_DAYS = 30;
const REFERENCES_KEPT = 500;

/** A rule's metric of one subject; null: there was too little to measure. */
export interface Reading extends AlertSubject {
  readonly value: number | null;
}

/** Measures what alert rules watch. */
@Injectable()
export class Readings {
  private readonly references = new Map<string, WindowSketch>();

  constructor(
    private readonly database: Database,
    private readonly series: Series,
  ) {}

  async of(rule: RuleView, now: Date): Promise<Reading[]> {
    const { metric } = rule;
    if (metric === 'silence') return [await this.silence(rule, now)];
    const from = new Date(now.getTime() - rule.windowSeconds * 1000);
    const rows = await this.series.rows('minute', from, now, rule);
    const variants = new Map<string, { subject: AlertSubject; rollUp: RollUp }>();
    for (const { releaseId, variantId, body } of rows) {
      const key = `${releaseId}/${variantId}`;
      const one = variants.get(key) ?? { subject: { releaseId, variantId }, rollUp: new RollUp() };
      one.rollUp.mergeStored(body);
      variants.set(key, one);
    }
    return Promise.all(
      [...variants.values()].map(async ({ subject, rollUp }) => ({
        ...subject,
        value:
          metric === 'drift'
            ? await this.drift(subject, rollUp, rule.minimum, now)
            : measured(metric, rollUp, rule.minimum),
      })),
    );
  }

  private async silence(rule: RuleView, now: Date): Promise<Reading> {
    const where: Prisma.DeviceWhereInput = {
      ...whereSelected(parseSelector(rule.selector), this.database),
      NOT: { running: { equals: Prisma.DbNull } },
    };
    const before = new Date(now.getTime() - rule.windowSeconds * 1000);
    const { device } = this.database.read;
    const of = await device.count({ where });
    const silent = await device.count({
      where: { ...where, OR: [{ seenAt: null }, { seenAt: { lt: before } }] },
    });
    return { releaseId: null, variantId: null, value: of < rule.minimum ? null : silent / of };
  }

  private async drift(
    subject: AlertSubject,
    { sketch }: RollUp,
    minimum: number,
    now: Date,
  ): Promise<number | null> {
    if (!sketch || sketch.brightness.total < minimum) return null;
    const reference = await this.reference(subject, now);
    if (!reference) return null;
    const indices = FAMILIES.map((family) => stabilityIndex(family, reference, sketch));
    return indices.reduce((most, index) => maxOf(most, index), null);
  }

  private async reference({ releaseId, variantId }: AlertSubject, now: Date) {
    const key = `${releaseId}/${variantId}`;
    const known = this.references.get(key);
    if (known) return known;
    const from = new Date(now.getTime() - REFERENCE_DAYS * DAY_MS);
    const rows = await this.series.rows('hour', from, now, {
      releaseId: releaseId ?? undefined,
      variantId: variantId ?? undefined,
    });
    const sum = new RollUp();
    for (const { body } of rows) {
      if (sum.sketch && sum.sketch.brightness.total >= REFERENCE_ITEMS) break;
      sum.mergeStored(body);
    }
    if (!sum.sketch || sum.sketch.brightness.total < REFERENCE_ITEMS) return null;
    const [oldest] = this.references.keys();
    if (this.references.size >= REFERENCES_KEPT && oldest !== undefined) {
      this.references.delete(oldest);
    }
    this.references.set(key, sum.sketch);
    return sum.sketch;
  }
}

/** A metric over a roll-up. */
export function measured(
  metric: Exclude<AlertMetric, 'silence' | 'drift'>,
  { sums, sketch }: RollUp,
  minimum: number,
): number | null {
  switch (metric) {
    case 'accuracy':
      return sums.labelled < minimum ? null : sums.correct / sums.labelled;
    case 'latency': {
      if (sums.latencyCount < minimum) return null;
      return sketch?.latencyMs.quantile(0.95) ?? sums.latencyMaxMs;
    }
    case 'memory':
      return sums.windows === 0 ? null : sums.rssMaxBytes / MEBIBYTE;
    case 'crash-loop':
      return sums.seconds === 0 ? null : sums.restarts / (sums.seconds / 3600);
  }
}

const maxOf = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b);
