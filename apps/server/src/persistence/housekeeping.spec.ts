import { openField, RUNNING } from '../../test/field.js';
import { Housekeeping } from './housekeeping.js';

const DAY_MS = 86_400_000;
const KEPT = {
  telemetryDays: 30,
  rollUpDays: { minute: 3, hour: 90, day: 1095 },
  shadow: { days: 30, storeBytes: 1, models: 1, judgeMs: 1 },
};

describe('what grows with time', () => {
  it('is kept for as many days as was asked for, and no longer', async () => {
    const site = await openField();
    const now = new Date();
    const ago = (days: number): Date => new Date(now.getTime() - days * DAY_MS);
    const { releaseId, variantId } = RUNNING;
    const of = { deviceId: 'cam-a', releaseId, variantId };
    await site.database.write(async (transaction) => {
      for (const days of [1, 29, 31]) {
        const at = ago(days);
        await transaction.telemetryWindow.create({
          data: { ...of, from: at, to: at, body: { days }, receivedAt: at },
        });
        await transaction.driftStream.create({
          data: {
            ...{ ...of, deviceId: `cam-${days}`, windowId: days, evidenceDays: 0, family: null },
            ...{ at, state: '' },
          },
        });
      }
      for (const [resolution, days] of [
        ...[2, 4].map((days) => ['minute', days] as const),
        ...[80, 100].map((days) => ['hour', days] as const),
        ...[1000, 1100].map((days) => ['day', days] as const),
      ]) {
        await transaction.rollUp.create({
          data: {
            ...{ resolution, start: ago(days), releaseId, variantId, deviceClass: 'x' },
            ...{ labels: '', body: { days } },
          },
        });
      }
      for (const [id, raised, cleared] of [
        ['e-open', 800, null],
        ['e-old', 800, 400],
        ['e-late', 800, 300],
      ] as const) {
        await transaction.alert.create({
          data: {
            ...{ id, ruleId: 'a-1', name: 'x', metric: 'drift', value: 1, raisedAt: ago(raised) },
            clearedAt: cleared === null ? null : ago(cleared),
          },
        });
      }
    });
    await new Housekeeping(site.database, KEPT).forget(now);
    const { read } = site.database;
    const windows = await read.telemetryWindow.findMany({ orderBy: { id: 'asc' } });
    expect(windows.map(({ body }) => body)).toEqual([{ days: 1 }, { days: 29 }]);
    const streams = await read.driftStream.findMany({ orderBy: { deviceId: 'asc' } });
    expect(streams.map(({ deviceId }) => deviceId)).toEqual(['cam-1', 'cam-29']);
    const sums = await read.rollUp.findMany({ orderBy: { start: 'desc' } });
    expect(sums.map(({ body }) => body)).toEqual([{ days: 2 }, { days: 80 }, { days: 1000 }]);
    const alerts = await read.alert.findMany({ orderBy: { id: 'asc' } });
    expect(alerts.map(({ id }) => id)).toEqual(['e-late', 'e-open']);
    await site.close();
  });
});
