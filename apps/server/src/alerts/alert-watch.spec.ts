import type { AlertActing } from './alert-acting.js';
import type { AlertRules } from './alert-rules.js';
import { AlertWatch } from './alert-watch.js';
import type { Alerts } from './alerts.js';
import type { Readings } from './readings.js';
import type { RuleView } from './schemas.js';

const rule = (id: string, forSeconds: number): RuleView => ({
  ...{ id, name: id, metric: 'latency', raise: 10, clear: 8, forSeconds, windowSeconds: 60 },
  ...{ minimum: 1, selector: '', createdAt: new Date(0).toISOString() },
  actions: { webhook: null, pauseRollouts: false, planAgain: false },
});

describe('watching for alerts', () => {
  it('goes on with the other rules where one cannot be read, which then forgets nothing', async () => {
    const raised: string[] = [];
    let isBroken = false;
    const readings = {
      of: ({ id }: RuleView) =>
        isBroken && id === 'first'
          ? Promise.reject(new Error('unreadable'))
          : Promise.resolve([{ releaseId: null, variantId: null, value: 20 }]),
    };
    const alerts = {
      active: () => Promise.resolve([]),
      raise: ({ id }: RuleView) => Promise.resolve(raised.push(id)),
    };
    const watch = new AlertWatch(
      {
        list: () => Promise.resolve([rule('first', 20), rule('second', 10)]),
      } as unknown as AlertRules,
      readings as unknown as Readings,
      alerts as unknown as Alerts,
      { on: () => Promise.resolve(), again: () => Promise.resolve() } as unknown as AlertActing,
    );
    await watch.look(new Date(0));
    isBroken = true;
    await watch.look(new Date(10_000));
    expect(raised).toEqual(['second']);
    isBroken = false;
    await watch.look(new Date(20_000));
    expect(raised[1]).toBe('first');
  });
});
