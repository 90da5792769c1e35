import { openField, ruleOf, RUNNING, sketchOf, Watchers } from '../../test/field.js';
import type { TemporaryDatabase } from '../../test/temporary-database.js';
import { seriesQuerySchema } from './schemas.js';

const rule = (change: object) => ruleOf({ metric: 'drift', raise: 30, clear: 3, ...change });

/** What is stored of the streams. */
const storedOn = ({ database }: TemporaryDatabase): Promise<object[]> =>
  database.read.driftStream.findMany({ omit: { at: true }, orderBy: { deviceId: 'asc' } });

describe('drift on the server', () => {
  const sites: TemporaryDatabase[] = [];
  const open = async (): Promise<TemporaryDatabase> => {
    const site = await openField();
    sites.push(site);
    return site;
  };
  afterEach(async () => {
    for (const site of sites.splice(0)) await site.close();
  });

  it('of one device is read as days of its family, and names the device and what drifts', async () => {
    const site = await open();
    const server = new Watchers(site.database);
    for (let minute = 0; minute < 4; minute += 1) {
      await server.say('cam-a', sketchOf(100 + minute, 60, -0.4));
      await server.say('cam-b', sketchOf(200 + minute, 60));
    }
    await server.rollUps.next();
    const now = new Date(Date.now() + 1000);
    const [reading] = await server.readings.of(rule({}), now);
    expect(reading).toMatchObject({ releaseId: RUNNING.releaseId, variantId: RUNNING.variantId });
    expect(reading!.value).toBeGreaterThan(30);
    const { devices, variants } = await server.drifts.shown({}, now);
    expect({ devices, variants }).toMatchObject({
      devices: 2,
      variants: [{ reference: { source: 'evaluation', samples: 2000 }, fleet: { devices: 2 } }],
    });
    const [drifted, usual] = variants[0]!.mostDrifted;
    expect(drifted).toMatchObject({ deviceId: 'cam-a', family: 'brightness' });
    expect(usual!.evidenceDays).toBeLessThan(1);
    // Half of the family's errors are for its devices, half for their fleet.
    const most = Math.max(drifted!.evidenceDays / 4, variants[0]!.fleet!.evidenceDays / 2);
    expect(reading!.value).toBeCloseTo(most, 6);
    expect(variants[0]!.stabilityIndex).toBeGreaterThan(0.1);
    // Asked about alone, a device is the whole family.
    const alone = await server.drifts.shown({ deviceId: usual!.deviceId }, now);
    expect(alone).toMatchObject({
      devices: 1,
      variants: [{ fleet: null, stabilityIndex: null, mostDrifted: [usual] }],
    });
  });

  it('stays where it was, to the byte, over a crash before it was stored', async () => {
    const [one, other] = [await open(), await open()];
    const whole = new Watchers(one.database);
    const before = new Watchers(other.database);
    const windows = Array.from({ length: 12 }, (_, at) =>
      sketchOf(300 + at, 60, at < 6 ? 0 : -0.1),
    );
    const say = async (from: number, to: number): Promise<void> => {
      for (const sketch of windows.slice(from, to)) {
        for (const server of [whole, before]) {
          // One device's windows are a minute, the other's half as long, so that some wait for others.
          await server.say('cam-a', sketch);
          await server.say('cam-b', sketch, { durationMs: 40_000 });
        }
      }
    };
    await say(0, 5);
    await whole.rollUps.next();
    await before.rollUps.next();
    const broken = `CREATE TRIGGER broken BEFORE UPDATE ON "DriftStream" WHEN NEW."deviceId" = 'cam-b'
      BEGIN SELECT RAISE(ABORT, 'scripted'); END`;
    await other.database.write(({ sql }) => sql.run(broken, []));
    await say(5, 9);
    await whole.rollUps.next();
    await expect(before.rollUps.next()).rejects.toThrow();
    await other.database.write(({ sql }) => sql.run('DROP TRIGGER broken', []));
    await say(9, 12);
    const after = new Watchers(other.database);
    await whole.rollUps.next();
    await after.rollUps.next();
    expect(await storedOn(other)).toEqual(await storedOn(one));
    // A server that starts again, and finds nothing new, changes nothing.
    await new Watchers(other.database).rollUps.next();
    expect(await storedOn(other)).toEqual(await storedOn(one));
  });

  it('begins anew with another variant, and keeps one stream a device', async () => {
    const site = await open();
    const server = new Watchers(site.database);
    await server.say('cam-a', sketchOf(1, 60, -0.4));
    await server.say('cam-a', sketchOf(2, 60, -0.4));
    const running = { ...RUNNING, releaseId: 'rel-2' };
    await server.say('cam-a', sketchOf(3, 60), { running });
    await server.rollUps.next();
    expect(await storedOn(site)).toMatchObject([{ deviceId: 'cam-a', releaseId: 'rel-2' }]);
  });
});

describe('accuracy where no labels arrive', () => {
  it('is estimated from confidence, and said to be an estimate', async () => {
    const site = await openField();
    try {
      const server = new Watchers(site.database);
      await server.say('cam-a', sketchOf(1, 400));
      await server.rollUps.next();
      const now = new Date(Date.now() + 1000);
      const about = rule({ metric: 'accuracy', raise: 0.5, clear: 0.6 });
      const [estimated] = await server.readings.of(about, now);
      expect(Math.abs(estimated!.value! - 0.75)).toBeLessThan(0.1);
      expect(estimated!.restsOn).toContain('estimated');
      const { series } = await server.series.of(seriesQuerySchema.parse({}), now);
      expect(series[0]!.total).toMatchObject({
        accuracy: null,
        accuracyEstimate: { items: 400, source: 'confidence', references: ['evaluation'] },
      });
      // One label that comes says more.
      await server.say('cam-a', sketchOf(2, 60), { accuracy: { labelled: 4, correct: 1 } });
      await server.rollUps.next();
      const [measured] = await server.readings.of(about, new Date(Date.now() + 1000));
      expect(measured).toMatchObject({ value: 0.25, restsOn: '4 labels' });
    } finally {
      await site.close();
    }
  });
});
