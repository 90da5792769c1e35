import fc from 'fast-check';
import type { Matrix } from '../../src/linear-algebra/cholesky.js';
import { roundCompensated } from '../../src/quantization/compensated-rounding.js';
import type { InputMoments } from '../../src/quantization/layer-moments.js';
import {
  adjacentPairs,
  chooseWeightScales,
  type IntegerWeights,
  type Pairs,
  roundToNearest,
} from '../../src/quantization/weight-scales.js';

interface Layer {
  readonly weight: Matrix;
  readonly taps: number;
  readonly moments: InputMoments;
}

/** A layer's weights, zeros among them, and moments of inputs that vary together. */
const layers: fc.Arbitrary<Layer> = fc
  .record({
    rows: fc.integer({ min: 1, max: 4 }),
    channels: fc.integer({ min: 1, max: 5 }),
    taps: fc.constantFrom(1, 4, 9),
  })
  .chain(({ rows, channels, taps }) => {
    const cols = channels * taps;
    const value = fc.oneof(
      { weight: 1, arbitrary: fc.constant(0) },
      { weight: 6, arbitrary: fc.double({ min: -2, max: 2, noNaN: true }) },
    );
    const numbers = (length: number): fc.Arbitrary<number[]> =>
      fc.array(value, { minLength: length, maxLength: length });
    return fc.tuple(numbers(rows * cols), numbers(cols * 3)).map(([weights, inputs]) => ({
      weight: { rows, cols, data: Float64Array.from(weights) },
      taps,
      moments: momentsOf(inputs, cols),
    }));
  });

function momentsOf(inputs: readonly number[], cols: number): InputMoments {
  const data = new Float64Array(cols * cols);
  for (let row = 0; row < 3; row++) {
    for (let i = 0; i < cols; i++) {
      for (let j = 0; j < cols; j++)
        data[i * cols + j]! += inputs[row * cols + i]! * inputs[row * cols + j]!;
    }
  }
  for (let i = 0; i < cols; i++) data[i * cols + i]! += 0.1;
  const none = new Float64Array(cols);
  const blocks = [{ start: 0, xx: { rows: cols, cols, data } }];
  return { rows: 1000, blocks, mean: none, lost: none, lostWith: none };
}

function bothRoundings(
  { weight, taps, moments }: Layer,
  safe: boolean,
): { pairs: Pairs; rounded: IntegerWeights[] } {
  const pairs = adjacentPairs(weight.cols, taps);
  const used = safe ? pairs : undefined;
  const scales = chooseWeightScales(weight, undefined, used);
  return {
    pairs,
    rounded: [
      roundToNearest(weight, scales),
      roundCompensated(weight, moments, scales, { pairs: used, zeros: weight }),
    ],
  };
}

/** What VPMADDUBSW gives: two products of a byte and a signed byte, added with saturation to 16 bits. */
const saturatingSum = (x0: number, w0: number, x1: number, w1: number): number =>
  Math.max(-32768, Math.min(32767, x0 * w0 + x1 * w1));

describe('integer weights', () => {
  it('never saturate pair by pair when they must not, whatever they are multiplied with', () => {
    fc.assert(
      fc.property(layers, fc.integer({ min: 0, max: 255 }), (layer, x) => {
        const { pairs, rounded } = bothRoundings(layer, true);
        for (const { rows, cols, data } of rounded) {
          for (let o = 0; o < rows; o++) {
            for (let p = 0; p < pairs.length; p += 2) {
              const [a, b] = [data[o * cols + pairs[p]!]!, data[o * cols + pairs[p + 1]!]!];
              expect(Math.abs(a + b)).toBeLessThanOrEqual(128);
              expect(saturatingSum(255, a, 255, b)).toBe(255 * (a + b));
              expect(saturatingSum(x, a, 255, b)).toBe(x * a + 255 * b);
            }
          }
        }
      }),
      { seed: 7 },
    );
  });

  it('enlarge the scale of those outputs alone that would saturate', () => {
    const weight = { rows: 2, cols: 4, data: Float64Array.of(1, 1, 0, 0, 1, -1, 1, -1) };
    const pairs = adjacentPairs(4, 1);
    const [free, safe] = [undefined, pairs].map((used) =>
      chooseWeightScales(weight, undefined, used),
    );
    expect(safe![0]).toBeGreaterThan(free![0]! * 1.9);
    expect(safe![1]).toBe(free![1]);
  });

  it('keep zeros, and stay within 127', () => {
    fc.assert(
      fc.property(layers, (layer) => {
        for (const { data } of bothRoundings(layer, false).rounded) {
          data.forEach((w, i) => {
            if (layer.weight.data[i] === 0) expect(w).toBe(0);
            expect(Math.abs(w)).toBeLessThanOrEqual(127);
          });
        }
      }),
      { seed: 7 },
    );
  });

  it('lose less output when columns make up for each other, in nine of ten layers', () => {
    let [better, total] = [0, 0];
    fc.assert(
      fc.property(layers, (layer) => {
        const { weight, moments } = layer;
        const scales = chooseWeightScales(weight, undefined, undefined).map((s) => s * 8);
        const rules = { pairs: undefined, zeros: undefined };
        const plain = outputError(layer, roundToNearest(weight, scales));
        const made = outputError(layer, roundCompensated(weight, moments, scales, rules));
        if (plain === 0) return;
        total++;
        if (made <= plain * 1.0001) better++;
      }),
      { numRuns: 200, seed: 1 },
    );
    expect(better / total).toBeGreaterThan(0.9);
  });

  it('pair columns in the order of the file and of kernels that keep channels last', () => {
    const pairs = adjacentPairs(6, 3);
    const found = new Set<string>();
    for (let p = 0; p < pairs.length; p += 2) found.add(`${pairs[p]}-${pairs[p + 1]}`);
    // Two channels of three taps: 0 1 2 | 3 4 5, and 0 3 | 1 4 | 2 5 with channels last.
    for (const pair of ['0-1', '1-2', '2-3', '3-4', '4-5', '0-3', '1-3', '1-4', '2-4', '2-5'])
      expect(found).toContain(pair);
    expect(found.size).toBe(10);
  });
});

function outputError(
  { weight, moments }: Layer,
  { data, scales, cols, rows }: IntegerWeights,
): number {
  const xx = moments.blocks[0]!.xx.data;
  let error = 0;
  for (let o = 0; o < rows; o++) {
    const lost = Array.from(
      { length: cols },
      (_, k) => weight.data[o * cols + k]! - data[o * cols + k]! * scales[o]!,
    );
    for (let i = 0; i < cols; i++)
      for (let j = 0; j < cols; j++) error += lost[i]! * lost[j]! * xx[i * cols + j]!;
  }
  return error;
}
