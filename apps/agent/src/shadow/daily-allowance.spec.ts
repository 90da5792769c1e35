import fc from 'fast-check';
import { DailyAllowance } from './daily-allowance.js';

const DAY_MS = 86_400_000;

describe('the bytes of a day', () => {
  it('are never exceeded in any 24 hours, whenever samples come and however large they are', () => {
    const requests = fc.array(
      fc.record({
        afterMs: fc.integer({ min: 0, max: 4 * 3_600_000 }),
        bytes: fc.integer({ min: 1, max: 5000 }),
      }),
      { maxLength: 300 },
    );
    const limits = fc
      .integer({ min: 64, max: 5000 })
      .chain((bytesPerSample) =>
        fc
          .integer({ min: 2 * bytesPerSample, max: 100 * bytesPerSample })
          .map((bytesPerDay) => ({ bytesPerSample, bytesPerDay })),
      );
    fc.assert(
      fc.property(requests, limits, (wanted, given) => {
        const allowance = new DailyAllowance(0);
        let now = 0;
        const sent: { at: number; bytes: number }[] = [];
        for (const { afterMs, bytes } of wanted) {
          now += afterMs;
          if (allowance.take(bytes, given, now)) sent.push({ at: now, bytes });
        }
        for (const { at } of sent) {
          const within = sent.filter((one) => one.at >= at && one.at < at + DAY_MS);
          const bytes = within.reduce((sum, one) => sum + one.bytes, 0);
          expect(bytes).toBeLessThanOrEqual(given.bytesPerDay + 1e-6);
        }
      }),
      { seed: 1 },
    );
  });

  it('let a sample of the largest size through once enough time has passed', () => {
    const limits = { bytesPerSample: 1000, bytesPerDay: 2000 };
    const allowance = new DailyAllowance(0);
    expect(allowance.take(1000, limits, 0)).toBe(false);
    expect(allowance.take(1000, limits, DAY_MS)).toBe(true);
    expect(allowance.take(1000, limits, DAY_MS)).toBe(false);
  });
});
