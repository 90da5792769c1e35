import fc from 'fast-check';
import { type LossCurve, shareOut } from './allocation.js';

const curves = fc.array(
  fc
    .record({
      costs: fc.array(
        fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 1e-6, max: 10, noNaN: true })),
        {
          minLength: 1,
          maxLength: 40,
        },
      ),
      importance: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
    })
    .map(({ costs, importance }): LossCurve => ({
      costs: Float64Array.from(costs).sort(),
      importance,
    })),
  { minLength: 1, maxLength: 6 },
);

describe('sharing removals out', () => {
  it('gives exactly the number wanted, while no layer is at its most', () => {
    fc.assert(
      fc.property(curves, fc.double({ min: 0, max: 1, noNaN: true }), (layers, share) => {
        const most = layers.map(({ costs }) => Math.floor(costs.length * 0.95));
        const wanted = Math.round(share * most.reduce((a, b) => a + b, 0));
        const counts = shareOut(layers, wanted);
        expect(counts.reduce((a, b) => a + b, 0)).toBe(wanted);
        counts.forEach((count, i) => expect(count).toBeLessThanOrEqual(most[i] ?? 0));
      }),
      { seed: 7 },
    );
  });

  it('never removes a weight that costs the model more than one that it leaves', () => {
    fc.assert(
      fc.property(curves, fc.double({ min: 0, max: 1, noNaN: true }), (layers, share) => {
        const total = layers.reduce((sum, { costs }) => sum + Math.floor(costs.length * 0.95), 0);
        const counts = shareOut(layers, Math.round(share * total));
        const dearest = Math.max(
          ...layers.map(
            ({ costs, importance }, i) => importance * (costs[(counts[i] ?? 0) - 1] ?? 0),
          ),
        );
        layers.forEach(({ costs, importance }, i) => {
          const count = counts[i] ?? 0;
          if (count >= Math.floor(costs.length * 0.95)) return;
          expect(importance * (costs[count] ?? 0)).toBeGreaterThanOrEqual(dearest * (1 - 1e-9));
        });
      }),
      { seed: 7 },
    );
  });

  it('spares the layer that the output depends on', () => {
    const costs = Float64Array.from({ length: 100 }, (_, i) => i + 1);
    const [important = 0, other = 0] = shareOut(
      [
        { costs, importance: 9 },
        { costs, importance: 1 },
      ],
      100,
    );
    expect(important).toBe(10);
    expect(other).toBe(90);
  });
});
