import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { z } from 'zod';
import { DeviceChannel } from '../mqtt/device-channel.js';
import { Database } from '../persistence/database.js';
import { AccuracyEstimate } from '../telemetry/accuracy-estimate.js';
import { DriftReadings } from '../telemetry/drift-readings.js';
import { References } from '../telemetry/references.js';
import { RollUp } from '../telemetry/roll-up.js';
import { RollUps } from '../telemetry/roll-ups.js';
import { Series } from '../telemetry/series.js';
import { Metrics } from './metrics.js';
import { MOST_VARIANTS, VariantGauges, type VariantName } from './variant-gauges.js';

const WINDOW_MS = 5 * 60_000;

const countSchema = z.object({ name: z.string(), count: z.coerce.number() });
const releaseSchema = z.object({ id: z.string(), modelName: z.string() });

interface Variant extends VariantName {
  readonly rollUp: RollUp;
  readonly estimate: number | null;
  readonly driftDays: number | null;
}

/** What the fleet does, for Prometheus: read when it is asked for. */
@Injectable()
export class FleetMetrics {
  constructor(
    { registry }: Metrics,
    private readonly database: Database,
    private readonly series: Series,
    private readonly drifts: DriftReadings,
    private readonly references: References,
    rollUps: RollUps,
    channel: DeviceChannel,
  ) {
    const registers = [registry];
    const counted = (name: string, help: string, label: string, text: string): Gauge =>
      new Gauge({
        ...{ name, help, labelNames: [label], registers },
        async collect() {
          const rows = await database.read.sql.all(countSchema, text, []);
          this.reset();
          for (const row of rows) this.set({ [label]: row.name }, row.count);
        },
      });
    counted(
      'espalier_rollouts',
      'Rollouts by status',
      'status',
      'SELECT "status" AS name, COUNT(*) AS count FROM "Rollout" GROUP BY "status"',
    );
    counted(
      'espalier_alerts_active',
      'Alerts that are not over, by metric',
      'metric',
      'SELECT "metric" AS name, COUNT(*) AS count FROM "Alert" WHERE "clearedAt" IS NULL GROUP BY "metric"',
    );
    new Gauge({
      name: 'espalier_webhooks_waiting',
      help: 'Notices of alerts that webhooks have not taken yet',
      registers,
      async collect() {
        this.set(await database.read.alertNotice.count());
      },
    });
    new Gauge({
      name: 'espalier_rollup_lag_seconds',
      help: 'From the arrival of telemetry to its rolling up',
      registers,
      collect() {
        this.set(rollUps.lagSeconds);
      },
    });
    new Gauge({
      name: 'espalier_broker_connected',
      help: '1 while the server is connected to the broker',
      registers,
      collect() {
        this.set(channel.connected ? 1 : 0);
      },
    });
    this.ofVariants(registry);
  }

  /** Gauges by model and variant, over the last minutes. */
  private ofVariants(registry: Metrics['registry']): void {
    const gauges = new VariantGauges(registry, () => this.variants());
    gauges.add(
      'espalier_inferences',
      'Inferences of the last five minutes',
      ({ rollUp }) => rollUp.sums.inferences,
    );
    gauges.add(
      'espalier_labelled_items',
      'Labelled items of the last five minutes',
      ({ rollUp }) => rollUp.sums.labelled,
    );
    gauges.add('espalier_accuracy', 'Share of labelled items that were right', ({ rollUp }) => {
      const { labelled, correct } = rollUp.sums;
      return labelled > 0 ? correct / labelled : null;
    });
    gauges.add(
      'espalier_accuracy_estimate',
      'Accuracy as estimated from confidence, without labels',
      ({ estimate }) => estimate,
    );
    gauges.add(
      'espalier_drift_days',
      'Days in which all devices together would show so much evidence of drift once by chance',
      ({ driftDays }) => driftDays,
    );
    gauges.add('espalier_latency_p95_seconds', 'p95 of inference latency', ({ rollUp }) => {
      const p95 = rollUp.sketch?.latencyMs.quantile(0.95) ?? null;
      return p95 === null ? null : p95 / 1000;
    });
    gauges.add(
      'espalier_memory_bytes',
      'Largest resident set of an inference process',
      ({ rollUp }) => rollUp.sums.rssMaxBytes,
    );
  }

  private async variants(): Promise<Variant[]> {
    const now = new Date();
    const rows = await this.series.rows('minute', new Date(now.getTime() - WINDOW_MS), now, {});
    const variants = new Map<string, { releaseId: string; variant: string; rollUp: RollUp }>();
    for (const { releaseId, variantId, body } of rows) {
      const key = `${releaseId}/${variantId}`;
      const one = variants.get(key) ?? { releaseId, variant: variantId, rollUp: new RollUp() };
      one.rollUp.mergeStored(body);
      variants.set(key, one);
    }
    const kept = [...variants.values()]
      .sort((a, b) => b.rollUp.sums.windows - a.rollUp.sums.windows)
      .slice(0, MOST_VARIANTS);
    const ids = [...new Set(kept.map(({ releaseId }) => releaseId))];
    const releases = await this.database.read.sql.all(
      releaseSchema,
      `SELECT "id", "modelName" FROM "Release" WHERE "id" IN (${ids.map(() => '?').join(', ') || 'NULL'})`,
      ids,
    );
    const models = new Map(releases.map(({ id, modelName }) => [id, modelName]));
    const references = await this.references.ofAll(kept.map(({ variant }) => variant));
    const drifts = new Map(
      (await this.drifts.of({}, now)).map((one) => [`${one.releaseId}/${one.variantId}`, one.days]),
    );
    return kept.map(({ releaseId, ...one }) => {
      const estimate = new AccuracyEstimate();
      estimate.add(one.rollUp.sketch, references.get(one.variant));
      return {
        ...one,
        model: models.get(releaseId) ?? 'unknown',
        estimate: estimate.shown()?.value ?? null,
        driftDays: drifts.get(`${releaseId}/${one.variant}`) ?? null,
      };
    });
  }
}
