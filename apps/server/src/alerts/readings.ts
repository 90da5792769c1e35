import { Injectable } from '@nestjs/common';
import { parseSelector, whereSelected } from '../fleet/selector.js';
import { Prisma } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { RecentAgreement } from '../shadow/recent-agreement.js';
import { AccuracyEstimate } from '../telemetry/accuracy-estimate.js';
import { DriftReadings } from '../telemetry/drift-readings.js';
import { References } from '../telemetry/references.js';
import { RollUp } from '../telemetry/roll-up.js';
import { Series } from '../telemetry/series.js';
import type { AlertMetric, AlertSubject, RuleView } from './schemas.js';

const MEBIBYTE = 2 ** 20;
/** A rule's metric of one subject; null: there was too little to measure. */
export interface Reading extends AlertSubject {
  readonly value: number | null;
  /** What it was measured by, where that needs saying. */
  readonly restsOn: string | null;
}

/** Measures what alert rules watch. */
@Injectable()
export class Readings {
  constructor(
    private readonly database: Database,
    private readonly series: Series,
    private readonly drifts: DriftReadings,
    private readonly references: References,
    private readonly recent: RecentAgreement,
  ) {}

  async of(rule: RuleView, now: Date): Promise<Reading[]> {
    const { metric } = rule;
    if (metric === 'silence') return [await this.silence(rule, now)];
    if (metric === 'drift') return this.drift(rule, now);
    const from = new Date(now.getTime() - rule.windowSeconds * 1000);
    if (metric === 'agreement') return this.agreement(rule, from);
    const rows = await this.series.rows('minute', from, now, rule);
    const variants = new Map<string, { subject: AlertSubject; rollUp: RollUp }>();
    for (const { releaseId, variantId, body } of rows) {
      const key = `${releaseId}/${variantId}`;
      const one = variants.get(key) ?? { subject: { releaseId, variantId }, rollUp: new RollUp() };
      one.rollUp.mergeStored(body);
      variants.set(key, one);
    }
    return Promise.all(
      [...variants.values()].map(async ({ subject, rollUp }) =>
        metric === 'accuracy'
          ? this.accuracy(subject, rollUp, rule.minimum)
          : { ...subject, value: measured(metric, rollUp, rule.minimum), restsOn: null },
      ),
    );
  }

  private async agreement(rule: RuleView, from: Date): Promise<Reading[]> {
    const variants = await this.recent.since(from, rule);
    return variants.map(({ releaseId, variantId, classified, agreed }) => ({
      ...{ releaseId, variantId },
      value: classified < rule.minimum ? null : agreed / classified,
      restsOn: null,
    }));
  }

  private async silence(rule: RuleView, now: Date): Promise<Reading> {
    const where: Prisma.DeviceWhereInput = {
      ...whereSelected(parseSelector(rule.selector), this.database),
      revokedAt: null,
      NOT: { running: { equals: Prisma.DbNull } },
    };
    const before = new Date(now.getTime() - rule.windowSeconds * 1000);
    const { device } = this.database.read;
    const of = await device.count({ where });
    const silent = await device.count({
      where: { ...where, OR: [{ seenAt: null }, { seenAt: { lt: before } }] },
    });
    return {
      releaseId: null,
      variantId: null,
      value: of < rule.minimum ? null : silent / of,
      restsOn: `${silent} of ${of} ${of === 1 ? 'device' : 'devices'}`,
    };
  }

  /** Of a family that is all the rule covers, so that its limit holds for everything together. */
  private async drift(rule: RuleView, now: Date): Promise<Reading[]> {
    const found = await this.drifts.of(rule, now, rule.windowSeconds * 1000);
    const devices = found.reduce((sum, one) => sum + one.devices, 0);
    return found.map(({ releaseId, variantId, days, restsOn }) => ({
      ...{ releaseId, variantId, restsOn },
      value: devices < rule.minimum ? null : days,
    }));
  }

  /** From labels, or where none came, as an estimate. */
  private async accuracy(
    { releaseId, variantId }: AlertSubject,
    { sums, sketch }: RollUp,
    minimum: number,
  ): Promise<Reading> {
    if (sums.labelled > 0) {
      const value = sums.labelled < minimum ? null : sums.correct / sums.labelled;
      return { releaseId, variantId, value, restsOn: `${sums.labelled} labels` };
    }
    const estimate = new AccuracyEstimate();
    estimate.add(sketch, await this.references.of(variantId ?? ''));
    const shown = estimate.shown();
    const value = shown && shown.items >= minimum ? shown.value : null;
    const restsOn = `estimated from the confidence of ${shown?.items ?? 0} items, against ${shown?.references.join(' and ') ?? 'no'} data`;
    return { releaseId, variantId, value, restsOn };
  }
}

/** A metric over a roll-up. */
export function measured(
  metric: Exclude<AlertMetric, 'silence' | 'drift' | 'accuracy' | 'agreement'>,
  { sums, sketch }: RollUp,
  minimum: number,
): number | null {
  switch (metric) {
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
