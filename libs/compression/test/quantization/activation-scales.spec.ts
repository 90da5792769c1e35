import fc from 'fast-check';
import { rangeOf, scaleFor } from '../../src/quantization/affine.js';
import { chooseScale, Histogram } from '../../src/quantization/histogram.js';
import { seededRandom } from '@espalier/dataset';

function histogramsOf(parts: readonly (readonly number[])[]): Histogram[] {
  return parts.map((values) => {
    const histogram = new Histogram();
    histogram.add(Float32Array.from(values), 0, 1);
    return histogram;
  });
}

/** Values with a long tail, dealt out to four parts. */
function longTailed(count: number, seed: number): number[][] {
  const random = seededRandom(seed);
  const parts: number[][] = [[], [], [], []];
  for (let i = 0; i < count; i++)
    parts[i % 4]!.push(-Math.log(1 - random.next()) * (random.next() < 0.5 ? -1 : 1));
  return parts;
}

const errorOn = (
  values: readonly number[],
  { scale, zeroPoint }: { scale: number; zeroPoint: number },
): number =>
  values.reduce((sum, x) => {
    const level = Math.max(0, Math.min(255, Math.round(x / scale) + zeroPoint));
    return sum + (x - (level - zeroPoint) * scale) ** 2;
  }, 0);

describe('scaleFor', () => {
  it('reaches both ends to half a step, and no further', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e4, max: 0, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e4, noNaN: true }),
        (lower, upper) => {
          const scale = scaleFor(lower, upper);
          const [low, high] = rangeOf(scale);
          expect(Number.isInteger(scale.zeroPoint)).toBe(true);
          expect(low).toBeLessThanOrEqual(lower + scale.scale * 0.51);
          expect(high).toBeGreaterThanOrEqual(upper - scale.scale * 0.51);
          expect(high - low).toBeLessThan(upper - lower + 1e-3 * scale.scale);
        },
      ),
      { seed: 7 },
    );
  });
});

describe('chooseScale', () => {
  it('cuts off what is so rare that it would cost all others more', () => {
    const random = seededRandom(1);
    const parts = [0, 1, 2, 3].map(() =>
      Array.from({ length: 50_000 }, () => random.next() * 2 - 1),
    );
    parts[2]![17] = 6;
    const scale = chooseScale(histogramsOf(parts), -Infinity, Infinity);
    expect(rangeOf(scale)[1]).toBeLessThan(5);
    expect(rangeOf(scale)[1]).toBeGreaterThanOrEqual(0.99);
    const values = parts.flat();
    expect(errorOn(values, scale)).toBeLessThan(errorOn(values, scaleFor(-1, 6)));
  });

  it('reaches beyond what few values show, and is better for it on others', () => {
    let [better, total] = [0, 0];
    for (let seed = 1; seed <= 20; seed++) {
      const few = longTailed(24, seed);
      const scale = chooseScale(histogramsOf(few), -Infinity, Infinity);
      const seen = scaleFor(Math.min(...few.flat()), Math.max(...few.flat()));
      const others = longTailed(4000, seed + 100).flat();
      total++;
      if (errorOn(others, scale) <= errorOn(others, seen)) better++;
    }
    expect(better / total).toBeGreaterThan(0.9);
  });

  it('reaches hardly beyond what many values show', () => {
    const many = longTailed(40_000, 1);
    const scale = chooseScale(histogramsOf(many), -Infinity, Infinity);
    expect(rangeOf(scale)[1]).toBeLessThan(1.35 * Math.max(...many.flat()));
  });

  it('stays within the bounds of the activation that it takes over', () => {
    const scale = chooseScale(histogramsOf(longTailed(400, 5)), 0, 6);
    expect(scale.zeroPoint).toBe(0);
    expect(rangeOf(scale)[1]).toBeLessThanOrEqual(6.001);
  });

  it('gives a usable scale for constant zeros and for a single sample', () => {
    expect(chooseScale(histogramsOf([[0, 0], [0]]), -Infinity, Infinity).scale).toBeGreaterThan(0);
    const [low, high] = rangeOf(chooseScale(histogramsOf([[-1, 3]]), -Infinity, Infinity));
    expect(low).toBeLessThanOrEqual(-0.99);
    expect(high).toBeGreaterThanOrEqual(2.99);
  });

  it('counts the same whatever order values come in, and notices what is not finite', () => {
    const values = longTailed(4000, 6).flat();
    const up = [...values].sort((a, b) => a - b);
    const [one, other] = histogramsOf([values, up.reverse()]);
    const scale = scaleFor(-2, 3);
    const [a, b] = [one!, other!].map((h) => h.errorOf(-Infinity, Infinity)(scale));
    expect(Math.abs(a! - b!)).toBeLessThan(1e-6 * a!);
    expect(Math.abs(a! - errorOn(values, scale))).toBeLessThan(0.05 * a!);
    expect(histogramsOf([[1, NaN]])[0]!.finite).toBe(false);
    expect(histogramsOf([[1, Infinity]])[0]!.finite).toBe(false);
  });
});
