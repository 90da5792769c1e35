import fc from 'fast-check';
import { allocate, type Choices } from './allocate.js';

/** Losses that rise ever faster as a group narrows, as measured ones do. */
const group = fc
  .array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 })
  .map((steps): Choices => {
    const losses = [0];
    steps.sort((a, b) => a - b).forEach((step) => losses.push((losses.at(-1) ?? 0) + step));
    return { widths: [16, 12, 8, 6, 4], losses };
  });

/** The cost of a chain of layers: each between two neighbouring widths. */
const chain = (widths: readonly number[]): number =>
  widths.reduce((sum, width, i) => sum + width * (widths[i - 1] ?? 3), 0);

describe('choosing widths', () => {
  it('comes within 1 % of the best of all combinations, on up to 6 groups of 5 widths', () => {
    fc.assert(
      fc.property(
        fc.array(group, { minLength: 2, maxLength: 6 }),
        fc.double({ min: 0.3, max: 0.9, noNaN: true }),
        (groups, share) => {
          const target = share * chain(groups.map(() => 16));
          const whole = allocate(groups, chain, target, Infinity);
          const local = allocate(groups, chain, target, 3000);
          expect(local.cost).toBeLessThanOrEqual(target);
          expect(local.loss).toBeLessThanOrEqual(whole.loss * 1.01 + 1e-9);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });

  it('gives the cheapest there is when no widths reach the target', () => {
    const groups: Choices[] = [
      { widths: [8, 4], losses: [0, 1] },
      { widths: [8, 4], losses: [0, 1] },
    ];
    expect(allocate(groups, chain, 1).widths).toEqual([4, 4]);
  });
});
