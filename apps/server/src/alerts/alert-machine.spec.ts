import fc from 'fast-check';
import { nextAlert, QUIET, type AlertState, type Thresholds } from './alert-machine.js';

const accuracy: Thresholds = { bad: 'below', raise: 0.7, clear: 0.8, forMs: 60_000 };

/** Changes that readings, one every 30 s, bring about. */
function changes(thresholds: Thresholds, values: readonly (number | null)[]): string[] {
  let state: AlertState = QUIET;
  return values.map((value, at) => {
    const next = nextAlert(state, thresholds, value, at * 30_000);
    state = next.state;
    return next.change ?? '-';
  });
}

describe('an alert', () => {
  it('is raised once when the value is bad for long enough, and cleared when it is good as long', () => {
    expect(changes(accuracy, [0.9, 0.6, 0.6, 0.6, 0.6, 0.9, 0.9, 0.9, 0.9])).toEqual([
      '-',
      '-',
      '-',
      'raised',
      '-',
      '-',
      '-',
      'cleared',
      '-',
    ]);
  });

  it('is not raised by bad values with a better one between', () => {
    expect(changes(accuracy, [0.6, 0.6, 0.75, 0.6, 0.6, 0.75])).not.toContain('raised');
  });

  it('is not cleared by values between the thresholds', () => {
    expect(changes(accuracy, [0.6, 0.6, 0.6, 0.75, 0.75, 0.75, 0.75])).not.toContain('cleared');
  });

  it('is neither raised nor cleared by what could not be measured', () => {
    expect(changes(accuracy, [0.6, null, null, null])).toEqual(['-', '-', '-', '-']);
    const raised = [0.6, 0.6, 0.6];
    expect(changes(accuracy, [...raised, 0.9, null, null, null])).not.toContain('cleared');
  });

  it('alternates between raised and cleared, and changes only on a value that calls for it', () => {
    const thresholds = fc.record({
      bad: fc.constantFrom('above' as const, 'below' as const),
      raise: fc.constant(0),
      gap: fc.double({ min: 0, max: 1, noNaN: true }),
      forMs: fc.constantFrom(0, 30_000, 60_000),
    });
    const reading = fc.option(fc.double({ min: -2, max: 2, noNaN: true }), { nil: null });
    fc.assert(
      fc.property(thresholds, fc.array(reading, { maxLength: 60 }), ({ gap, ...rest }, values) => {
        const clear = rest.bad === 'above' ? -gap : gap;
        const seen = changes({ ...rest, clear }, values);
        const said = seen.filter((change) => change !== '-');
        expect(said).toEqual(said.map((_, at) => (at % 2 === 0 ? 'raised' : 'cleared')));
        seen.forEach((change, at) => {
          const value = values[at] ?? null;
          const badness = value === null ? null : rest.bad === 'above' ? value : -value;
          if (change === 'raised') expect(badness).toBeGreaterThanOrEqual(0);
          if (change === 'cleared') expect(badness).toBeLessThanOrEqual(-gap);
        });
      }),
      { seed: 1 },
    );
  });
});
