import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { Metrics } from '../http/metrics.js';
import { Database } from '../persistence/database.js';
import { RecentAgreement, type VariantAgreement } from './recent-agreement.js';

const HOUR_MS = 3_600_000;
/** Variants told apart; those with the fewest samples are left out. */
const MOST_VARIANTS = 100;
const SCRAPE_MS = 1_000;

/** What shadow samples say, for Prometheus: read when it is asked for. */
@Injectable()
export class ShadowMetrics {
  private read: { readonly at: number; readonly variants: Promise<VariantAgreement[]> } | null =
    null;

  constructor(
    { registry }: Metrics,
    database: Database,
    private readonly recent: RecentAgreement,
  ) {
    const registers = [registry];
    new Gauge({
      name: 'espalier_shadow_waiting',
      help: 'Shadow samples that wait to be judged',
      registers,
      async collect() {
        this.set(await database.read.shadowSample.count({ where: { state: 'waiting' } }));
      },
    });
    const ofVariants = (
      name: string,
      help: string,
      valueOf: (variant: VariantAgreement) => number,
    ): void => {
      const made: Gauge = new Gauge({
        ...{ name, help, labelNames: ['model', 'variant'], registers },
        collect: async () => {
          const variants = await this.lately();
          made.reset();
          for (const one of variants) {
            made.set({ model: one.modelName, variant: one.variantId }, valueOf(one));
          }
        },
      });
    };
    ofVariants(
      'espalier_shadow_samples',
      'Shadow samples of the last hour that the dense model judged',
      ({ classified }) => classified,
    );
    ofVariants(
      'espalier_shadow_agreement',
      'Share of them in which it chose the same class as the device',
      ({ classified, agreed }) => agreed / classified,
    );
  }

  /** One reading for all gauges of a scrape. */
  private lately(): Promise<VariantAgreement[]> {
    const now = performance.now();
    if (this.read && now - this.read.at < SCRAPE_MS) return this.read.variants;
    const variants = this.recent
      .since(new Date(Date.now() - HOUR_MS), {})
      .then((all) => all.sort((a, b) => b.classified - a.classified).slice(0, MOST_VARIANTS));
    this.read = { at: now, variants };
    return variants;
  }
}
