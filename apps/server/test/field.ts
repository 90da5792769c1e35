import { encodeSketch, StreamMemory, WindowSketch } from '@espalier/evidence';
import type { Telemetry as Window } from '@espalier/protocol';
import { AlertActing } from '../src/alerts/alert-acting.js';
import { AlertRules } from '../src/alerts/alert-rules.js';
import { AlertWatch } from '../src/alerts/alert-watch.js';
import { Alerts } from '../src/alerts/alerts.js';
import { Readings } from '../src/alerts/readings.js';
import { ruleRequestSchema, type RuleView } from '../src/alerts/schemas.js';
import { EventStream } from '../src/http/event-stream.js';
import type { Database } from '../src/persistence/database.js';
import type { Rollouts } from '../src/rollout/rollouts.js';
import { DeviceTags } from '../src/telemetry/device-tags.js';
import { RecentAgreement } from '../src/shadow/recent-agreement.js';
import { DriftReadings } from '../src/telemetry/drift-readings.js';
import { DriftStreams } from '../src/telemetry/drift-streams.js';
import { References } from '../src/telemetry/references.js';
import { RestartCounts } from '../src/telemetry/restart-counts.js';
import { RollUps } from '../src/telemetry/roll-ups.js';
import { Series } from '../src/telemetry/series.js';
import { Telemetry } from '../src/telemetry/telemetry.js';
import type { Retuning } from '../src/tuning/retuning.js';
import { TemporaryDatabase } from './temporary-database.js';

const CLASSES = 5;

/** A release and the one variant of it that the field runs. */
export const RUNNING = { releaseId: 'rel-1', variantId: 'c-1', modelSha256: 'a'.repeat(64) };

/** A seeded source of numbers (Park and Miller). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Images whose brightness varies evenly about a level, and how sure a model is of them. */
export function sketchOf(seed: number, items: number, level = 0): WindowSketch {
  const sketch = new WindowSketch();
  const memory = new StreamMemory();
  const next = numbers(seed);
  for (let at = 0; at < items; at += 1) {
    const input = { channelMeans: [], brightness: level + next() - 0.5, contrast: 1 + next() };
    const output = { predicted: Math.floor(CLASSES * next()), confidence: 1 + 4 * next() };
    sketch.add(input, output, memory);
  }
  return sketch;
}

/** Puts the variant's compression report, with its reference, where a server looks for it. */
export async function addVariant(database: Database): Promise<void> {
  const createdAt = new Date();
  const reference = {
    ...{ source: 'evaluation', samples: 2000, accuracy: 0.75, confidenceThreshold: 2 },
    sketch: encodeSketch(sketchOf(7, 2000)),
  };
  await database.write(async ({ model, candidate }) => {
    await model.create({
      data: {
        ...{ id: 'm-1', name: 'm', sha256: 'a', bytes: 1, calibrationSha256: 'b' },
        ...{ inspection: {}, createdAt },
      },
    });
    await candidate.create({
      data: {
        ...{ id: RUNNING.variantId, modelId: 'm-1', jobId: 'j', report: { reference } },
        ...{ costs: {}, modelSha256: 'a', modelBytes: 1, artifactSha256: 'a', artifactBytes: 1 },
        ...{ encoding: 'identity', createdAt },
      },
    });
  });
}

/** A database of its own, with the variant. */
export async function openField(): Promise<TemporaryDatabase> {
  const site = await TemporaryDatabase.open();
  await addVariant(site.database);
  return site;
}

/** An alert rule as it is stored, without actions. */
export const ruleOf = (change: object): RuleView => ({
  ...ruleRequestSchema.parse({ name: 'x', ...change }),
  ...{ id: 'a-1', createdAt: new Date().toISOString() },
  actions: { webhook: null, pauseRollouts: false, planAgain: false },
});

/** What a server does with telemetry, as one that has just started on a database. */
export class Watchers {
  readonly rollUps: RollUps;
  readonly drifts: DriftReadings;
  readonly series: Series;
  readonly readings: Readings;
  readonly rules: AlertRules;
  readonly alerts: Alerts;
  readonly watch: AlertWatch;
  private messages = 0;

  constructor(private readonly database: Database) {
    const [references, tags] = [new References(database), new DeviceTags(database)];
    const streams = new DriftStreams(database, references);
    this.rollUps = new RollUps(database, tags, streams, new RestartCounts(database));
    this.series = new Series(database, references);
    this.drifts = new DriftReadings(database, streams, tags, references, this.series);
    const recent = new RecentAgreement(database, tags);
    this.readings = new Readings(database, this.series, this.drifts, references, recent);
    this.rules = new AlertRules(database);
    this.alerts = new Alerts(database, new EventStream());
    const acting = new AlertActing(database, this.alerts, {} as Rollouts, {} as Retuning);
    this.watch = new AlertWatch(this.rules, this.readings, this.alerts, acting);
  }

  /** Takes a window of a device that ended now. */
  async say(
    deviceId: string,
    sketch: WindowSketch | null,
    change: Partial<Window> = {},
  ): Promise<void> {
    const to = new Date().toISOString();
    const body: Window = {
      ...{ generation: 1, running: RUNNING, from: to, to, inferences: 60, errors: 0, restarts: 0 },
      latencyMs: { p50: 10, p95: 12, max: 15, mean: 11 },
      memory: { rssBytes: 1000, modelBytes: 100 },
      ...{ accuracy: null, durationMs: 60_000, emulatedSlowdown: null },
      ...(sketch ? { sketch: encodeSketch(sketch) } : {}),
      ...change,
    };
    this.messages += 1;
    const message = { v: 1 as const, id: `m-${this.messages}`, sentAt: to, epoch: 0, body };
    await this.database.write((transaction) =>
      new Telemetry(this.database).take(transaction, deviceId, message),
    );
  }
}
