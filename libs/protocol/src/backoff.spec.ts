import fc from 'fast-check';
import { fullJitter } from './backoff.js';

describe('the wait before a new connection', () => {
  it('is spread evenly from nothing to a bound that doubles, and never over a minute', () => {
    fc.assert(
      fc.property(
        fc.nat(10_000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, random) => {
          const bound = Math.min(60_000, 500 * 2 ** attempt);
          expect(fullJitter(attempt, random)).toBe(Math.floor(random * bound));
        },
      ),
      { seed: 7 },
    );
  });
});

describe('a fleet that lost its broker', () => {
  /** When each of many devices is connected again after an outage, milliseconds after its end. */
  function returns(outageMs: number, devices: number): number[] {
    let state = 7;
    const random = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    return Array.from({ length: devices }, () => {
      let now = 0;
      for (let attempt = 0; ; attempt += 1) {
        now += fullJitter(attempt, random());
        if (now >= outageMs) return now - outageMs;
      }
    });
  }

  it.each([2_000, 10_000, 120_000])(
    'of %d ms comes back spread out, and within a minute: no herd',
    (outageMs) => {
      const devices = 1000;
      const at = returns(outageMs, devices);
      const perTenth = new Map<number, number>();
      for (const ms of at) {
        const tenth = Math.floor(ms / 100);
        perTenth.set(tenth, (perTenth.get(tenth) ?? 0) + 1);
      }
      expect(Math.max(...perTenth.values())).toBeLessThan(devices * 0.08);
      expect(Math.max(...at)).toBeLessThan(60_000);
    },
  );
});
