import type { Telemetry } from '@espalier/protocol';
import { toJson } from '../persistence/json.js';
import { openField, ruleOf, RUNNING, sketchOf, Watchers } from '../../test/field.js';
import type { TemporaryDatabase } from '../../test/temporary-database.js';
import { ruleRequestSchema } from './schemas.js';

const SOON_MS = 1_000;

describe('what an alert rule watches', () => {
  let site: TemporaryDatabase;
  let server: Watchers;
  const later = (ms = 0): Date => new Date(Date.now() + SOON_MS + ms);
  const read = (change: object) => server.readings.of(ruleOf(change), later());

  beforeEach(async () => {
    site = await openField();
    server = new Watchers(site.database);
  });
  afterEach(() => site.close());

  /** A minute in which a device ran 60 inferences, six of them so slow. */
  const minute = (
    deviceId: string,
    slowMs: number,
    change: Partial<Telemetry> = {},
  ): Promise<void> => {
    const sketch = sketchOf(1, 60);
    for (let at = 0; at < 60; at += 1) sketch.latencyMs.add(at % 10 === 0 ? slowMs : 10);
    return server.say(deviceId, sketch, change);
  };

  it('is latency, memory or restarts of all devices of a variant', async () => {
    const memory = (mib: number) => ({ memory: { rssBytes: mib * 2 ** 20, modelBytes: 1 } });
    await minute('cam-a', 500, { restarts: 20, ...memory(300) });
    await minute('cam-a', 500, { restarts: 23, ...memory(90) });
    await minute('cam-b', 10, { restarts: 8, ...memory(100) });
    await server.rollUps.next();
    const { releaseId, variantId } = RUNNING;
    const [latency] = await read({ metric: 'latency', raise: 1, clear: 1 });
    expect(latency).toMatchObject({ releaseId, variantId });
    // 12 of 180 are slow, so the 95th percentile is.
    expect(latency!.value! / 500).toBeCloseTo(1, 1);
    const about = { raise: 1, clear: 1 };
    expect(await read({ metric: 'memory', ...about })).toMatchObject([{ value: 300 }]);
    // Three restarts in three minutes, however many there were before.
    expect(await read({ metric: 'crash-loop', ...about })).toMatchObject([{ value: 60 }]);
    const tooFew = { ...about, minimum: 181 };
    expect(await read({ metric: 'latency', ...tooFew })).toMatchObject([{ value: null }]);
  });

  it('is of silence the share of the devices that serve and were not heard', async () => {
    const long = new Date(Date.now() - 7_200_000);
    const devices = [
      { id: 'cam-heard', seenAt: later(), serves: true },
      { id: 'cam-silent', seenAt: long, serves: true },
      { id: 'cam-revoked', seenAt: long, serves: true, revokedAt: long },
      { id: 'cam-idle', seenAt: long, serves: false },
    ];
    for (const { serves, ...device } of devices) {
      await site.database.write((transaction) =>
        transaction.device.create({
          data: {
            ...{ name: device.id, labels: {}, publicKey: '', state: 'active', budget: {} },
            ...{ createdAt: long, ...device, ...(serves ? { running: toJson(RUNNING) } : {}) },
          },
        }),
      );
    }
    expect(await read({ metric: 'silence', raise: 0.1, clear: 0 })).toMatchObject([
      { releaseId: null, value: 0.5, restsOn: '1 of 2 devices' },
    ]);
  });

  it('raises an alert, once, when it was bad for long enough', async () => {
    const rule = await server.rules.create(
      ruleRequestSchema.parse({
        ...{ name: 'restarts', metric: 'crash-loop', raise: 10, clear: 1, windowSeconds: 3600 },
        forSeconds: 60,
      }),
    );
    await minute('cam-a', 10, { restarts: 4 });
    await minute('cam-a', 10, { restarts: 9 });
    await server.rollUps.next();
    const states = async (): Promise<unknown[]> =>
      (await server.alerts.list({ limit: 10 })).map(({ ruleId, state }) => [ruleId, state]);
    await server.watch.look(later());
    expect(await states()).toEqual([]);
    await server.watch.look(later(60_000));
    await server.watch.look(later(61_000));
    expect(await states()).toEqual([[rule.id, 'active']]);
  });
});
