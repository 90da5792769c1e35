import { encodeSketch, StreamMemory, WindowSketch } from '@espalier/evidence';
import type { Telemetry as Window } from '@espalier/protocol';
import type { Database } from '../persistence/database.js';
import { ruleOf, Watchers } from '../../test/field.js';
import { TemporaryDatabase } from '../../test/temporary-database.js';
import { DeviceSeries } from './device-series.js';
import { DeviceTags } from './device-tags.js';
import { startOf } from './resolutions.js';
import { DriftStreams } from './drift-streams.js';
import { References } from './references.js';
import { RestartCounts } from './restart-counts.js';
import { RollUps } from './roll-ups.js';
import { seriesQuerySchema } from './schemas.js';
import { Series } from './series.js';
import { Telemetry } from './telemetry.js';

const NOW = new Date();

describe('roll-ups', () => {
  let temporary: TemporaryDatabase;
  let database: Database;
  let rollUps: RollUps;
  let series: Series;

  beforeEach(async () => {
    temporary = await TemporaryDatabase.open();
    ({ database } = temporary);
    const references = new References(database);
    const drift = new DriftStreams(database, references);
    const restarts = new RestartCounts(database);
    rollUps = new RollUps(database, new DeviceTags(database), drift, restarts);
    series = new Series(database, references);
    for (const [id, site] of [
      ['cam-a', 'lyon'],
      ['cam-b', 'oslo'],
    ] as const) {
      await database.write(({ device }) =>
        device.create({
          data: {
            ...{ id, name: id, labels: { site }, publicKey: '', state: 'ready', budget: {} },
            createdAt: NOW,
          },
        }),
      );
    }
  });
  afterEach(() => temporary.close());

  /** A window that ended some seconds ago. */
  const say = (
    deviceId: string,
    secondsAgo: number,
    change: Partial<Window> = {},
  ): Promise<void> => {
    const to = new Date(Date.now() - secondsAgo * 1000).toISOString();
    const body: Window = {
      generation: 1,
      running: { releaseId: 'rel-1', variantId: 'v-1', modelSha256: 'a'.repeat(64) },
      ...{ from: to, to, inferences: 10, errors: 1, restarts: 0, emulatedSlowdown: null },
      latencyMs: { p50: 10, p95: 12, max: 15, mean: 11 },
      memory: { rssBytes: 1000, modelBytes: 100 },
      accuracy: { labelled: 4, correct: 3 },
      durationMs: 1000,
      ...change,
    };
    const message = { v: 1 as const, id: `m-${Math.random()}`, sentAt: new Date().toISOString() };
    return database.write((transaction) =>
      new Telemetry(database).take(transaction, deviceId, { ...message, epoch: 0, body }),
    );
  };
  const rollAllUp = async (): Promise<void> => {
    while ((await rollUps.next()) > 0);
  };
  const totals = async (query: object): Promise<Record<string, unknown>> => {
    const view = await series.of(seriesQuerySchema.parse(query), new Date(Date.now() + 1000));
    return Object.fromEntries(view.series.map(({ key, total }) => [key, total]));
  };

  it('go on when a device says numbers beyond all measure', async () => {
    const beyond = { p50: 1e308, p95: 1e308, max: 1e308, mean: 1e308 };
    for (const latencyMs of [beyond, beyond, null]) {
      await say('cam-a', 0, { inferences: Number.MAX_SAFE_INTEGER, latencyMs });
      await rollAllUp();
    }
    await say('cam-b', 0);
    await rollAllUp();
    expect(await totals({ selector: 'site=oslo', by: 'class' })).toMatchObject({
      unknown: { windows: 1, inferences: 10 },
    });
    expect(await totals({ by: 'class' })).toMatchObject({
      unknown: { windows: 4, inferences: Number.MAX_SAFE_INTEGER },
    });
  });

  it('count every window once in its minute, hour and day', async () => {
    await say('cam-a', 0);
    await rollAllUp();
    await say('cam-a', 5_000);
    await say('cam-b', 0);
    await rollAllUp();
    await rollAllUp();
    for (const resolution of ['minute', 'hour', 'day']) {
      const from = new Date(Date.now() - 20_000_000).toISOString();
      expect(await totals({ from, resolution })).toEqual({
        all: {
          ...{ windows: 3, inferences: 30, errors: 3, restarts: 0 },
          accuracy: { labelled: 12, correct: 9, value: 0.75 },
          accuracyEstimate: null,
          latencyMs: { mean: 11, p50: null, p95: null, max: 15 },
          memory: { rssMaxBytes: 1000, modelMaxBytes: 100 },
        },
      });
    }
  });

  it('that fail half way count nothing, and everything the next time', async () => {
    await say('cam-a', 0);
    await say('cam-b', 0);
    await database.write(({ sql }) =>
      sql.run(
        `CREATE TRIGGER broken BEFORE INSERT ON "Counter" WHEN NEW."name" = 'rolled-up'
         BEGIN SELECT RAISE(ABORT, 'scripted'); END`,
        [],
      ),
    );
    await expect(rollUps.next()).rejects.toThrow();
    await database.write(({ sql }) => sql.run('DROP TRIGGER broken', []));
    await rollAllUp();
    expect(await totals({})).toMatchObject({ all: { windows: 2 } });
  });

  it('can be asked for by model, variant, label and class', async () => {
    const createdAt = NOW;
    await database.write(({ release }) =>
      release.create({
        data: {
          ...{ id: 'rel-2', modelId: 'm-2', planId: 'p-2', modelName: 'doors', version: 1 },
          ...{ state: 'signed', document: {}, manifests: {}, createdAt },
        },
      }),
    );
    await say('cam-b', 0, {
      running: { releaseId: 'rel-2', variantId: 'v-9', modelSha256: 'c'.repeat(64) },
      ...{ inferences: 70, accuracy: null },
    });
    await rollAllUp();
    expect(await totals({ model: 'doors' })).toMatchObject({ all: { inferences: 70 } });
    expect(await totals({ by: 'model' })).toMatchObject({ doors: { inferences: 70 } });
    const other = { releaseId: 'rel-1', variantId: 'v-2', modelSha256: 'b'.repeat(64) };
    await say('cam-a', 0);
    await say('cam-b', 0, { running: other, accuracy: { labelled: 8, correct: 2 } });
    await rollAllUp();
    expect(await totals({ by: 'labels' })).toMatchObject({
      'site=lyon': { accuracy: { labelled: 4, correct: 3 } },
      'site=oslo': { accuracy: { labelled: 8, correct: 2 } },
    });
    expect(await totals({ selector: 'site=lyon', by: 'variant' })).toMatchObject({
      'rel-1/v-1': { windows: 1 },
    });
    expect(Object.keys(await totals({ variantId: 'v-2', by: 'variant' }))).toEqual(['rel-1/v-2']);
    expect(Object.keys(await totals({ by: 'class' }))).toEqual(['unknown']);
    expect(Object.keys(await totals({ by: 'model' })).sort()).toEqual(['doors', 'unknown']);
    expect(await totals({ model: 'none of these' })).toEqual({});
    expect(await totals({ deviceClass: 'none of these' })).toEqual({});
  });

  it('count a restart once, though each window tells of all there ever were', async () => {
    await say('cam-a', 60, { restarts: 7 });
    await rollAllUp();
    await say('cam-a', 40, { restarts: 7 });
    await say('cam-a', 20, { restarts: 9 });
    await say('cam-b', 20, { restarts: 4 });
    await rollAllUp();
    expect(await totals({})).toMatchObject({ all: { windows: 4, restarts: 2 } });
    // A server that starts again knows what was told before.
    await say('cam-a', 0, { restarts: 12 });
    await new Watchers(database).rollUps.next();
    expect(await totals({})).toMatchObject({ all: { windows: 5, restarts: 5 } });
    const own = new DeviceSeries(database, new References(database));
    const { series: ofDevice } = await own.of('cam-a', {}, new Date(Date.now() + 1000));
    expect(ofDevice[0]?.total.restarts).toBe(5);
  });

  it('show in the minute in which a variant became worse that it did', async () => {
    const minute = startOf('minute', new Date()).getTime();
    const ago = (ms: number): number => (Date.now() - minute + ms) / 1000;
    await say('cam-a', ago(90_000), { accuracy: { labelled: 100, correct: 90 } });
    await say('cam-a', ago(30_000), { accuracy: { labelled: 100, correct: 40 } });
    await rollUps.next();
    const rule = ruleOf({ metric: 'accuracy', raise: 0.8, clear: 0.85, windowSeconds: 60 });
    const { readings } = new Watchers(database);
    const at = async (ms: number): Promise<unknown[]> => {
      const found = await readings.of(rule, new Date(ms));
      return found.map(({ value }) => value);
    };
    expect([await at(minute - 60_000), await at(minute)]).toEqual([[0.9], [0.4]]);
  });

  it('merge sketches, and pass over one that cannot be read', async () => {
    const sketch = (ms: number): string => {
      const made = new WindowSketch();
      const memory = new StreamMemory();
      const input = { brightness: 0.5, contrast: 0.1, channelMeans: [0.5] };
      for (let item = 0; item < 10; item += 1) {
        made.add(input, { predicted: 1, confidence: 2 }, memory);
        made.latencyMs.add(ms);
      }
      return encodeSketch(made);
    };
    await say('cam-a', 0, { sketch: sketch(10) });
    await say('cam-b', 0, { sketch: sketch(50) });
    await say('cam-b', 0, { sketch: 'AAAA' });
    await rollAllUp();
    const { all } = (await totals({})) as { all: { latencyMs: { p50: number; p95: number } } };
    expect(all.latencyMs.p50 / 10).toBeCloseTo(1, 1);
    expect(all.latencyMs.p95 / 50).toBeCloseTo(1, 1);
  });

  it('give for one device what its windows say, page after page', async () => {
    for (let window = 0; window < 203; window += 1) await say('cam-a', window % 3);
    await say('cam-b', 0);
    await rollAllUp();
    const now = new Date(Date.now() + 1000);
    const { series: own, resolution } = await new DeviceSeries(
      database,
      new References(database),
    ).of('cam-a', {}, now);
    expect({ resolution, series: own.map(({ key, total }) => [key, total]) }).toEqual({
      resolution: 'hour',
      series: Object.entries(await totals({ selector: 'site=lyon', by: 'variant' })),
    });
    expect(own[0]?.total.windows).toBe(203);
  });

  it('refuse more than they may show', async () => {
    const from = new Date(Date.now() - 500 * 86_400_000).toISOString();
    await expect(totals({ from })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });
});
