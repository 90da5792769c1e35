import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { Metrics } from '../http/metrics.js';
import { VariantGauges } from '../http/variant-gauges.js';
import { Database } from '../persistence/database.js';
import { RecentAgreement } from './recent-agreement.js';

const HOUR_MS = 3_600_000;

/** What shadow samples say, for Prometheus: read when it is asked for. */
@Injectable()
export class ShadowMetrics {
  constructor({ registry }: Metrics, database: Database, recent: RecentAgreement) {
    new Gauge({
      name: 'espalier_shadow_waiting',
      help: 'Shadow samples that wait to be judged',
      registers: [registry],
      async collect() {
        this.set(await database.read.shadowSample.count({ where: { state: 'waiting' } }));
      },
    });
    const gauges = new VariantGauges(registry, async () => {
      const variants = await recent.since(new Date(Date.now() - HOUR_MS), {});
      return variants
        .sort((a, b) => b.classified - a.classified)
        .map(({ modelName: model, variantId: variant, ...counts }) => ({
          ...{ model, variant },
          ...counts,
        }));
    });
    gauges.add(
      'espalier_shadow_samples',
      'Shadow samples of the last hour that the dense model judged',
      ({ classified }) => classified,
    );
    gauges.add(
      'espalier_shadow_agreement',
      'Share of them in which it chose the same class as the device',
      ({ classified, agreed }) => agreed / classified,
    );
  }
}
