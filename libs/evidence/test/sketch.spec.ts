import fc from 'fast-check';
import {
  channelLayout,
  decodeSketch,
  encodeSketch,
  EvidenceError,
  inputFeatures,
  outputFeatures,
  QUANTILE_RELATIVE_ERROR,
  QuantileDigest,
  StreamMemory,
  WindowSketch,
} from '../src/index.js';

const SEED = { seed: 9, numRuns: 100 };
const number = fc.double({ noNaN: true, min: -1e4, max: 1e4 });
const item = fc.record({
  input: fc.record({
    channelMeans: fc.array(number, { minLength: 3, maxLength: 3 }),
    brightness: number,
    contrast: number.map(Math.abs),
  }),
  output: fc.record({ predicted: fc.nat(1000), confidence: number }),
  latencyMs: fc.double({ noNaN: true, min: 0, max: 1e6 }),
});
type Item = typeof item extends fc.Arbitrary<infer T> ? T : never;

function sketchOf(items: readonly Item[], memory = new StreamMemory()): WindowSketch {
  const sketch = new WindowSketch();
  for (const { input, output, latencyMs } of items) {
    sketch.add(input, output, memory);
    sketch.latencyMs.add(latencyMs);
  }
  return sketch;
}
function merged(...sketches: WindowSketch[]): WindowSketch {
  const sum = new WindowSketch();
  for (const sketch of sketches) sum.merge(sketch);
  return sum;
}

describe('the sketch of a window', () => {
  const windows = fc.array(fc.array(item, { maxLength: 40 }), { minLength: 3, maxLength: 3 });

  it('merged with the next ones in any order is the sketch of all of them', () => {
    fc.assert(
      fc.property(windows, (parts) => {
        const memory = new StreamMemory();
        const [a, b, c] = parts.map((items) => sketchOf(items, memory)) as [
          WindowSketch,
          WindowSketch,
          WindowSketch,
        ];
        const whole = encodeSketch(sketchOf(parts.flat()));
        expect(encodeSketch(merged(merged(a, b), c))).toBe(whole);
        expect(encodeSketch(merged(a, merged(b, c)))).toBe(whole);
        expect(encodeSketch(merged(c, a, b))).toBe(whole);
      }),
      SEED,
    );
  });

  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 60 }), (items) => {
        const text = encodeSketch(sketchOf(items));
        expect(encodeSketch(decodeSketch(text))).toBe(text);
      }),
      SEED,
    );
  });

  it('of any other bytes is refused with a code, and never read in part', () => {
    const good = Buffer.from(
      encodeSketch(sketchOf(fc.sample(item, { seed: 1, numRuns: 50 }))),
      'base64',
    );
    const refused = (bytes: Uint8Array): void => {
      try {
        decodeSketch(Buffer.from(bytes).toString('base64'));
      } catch (error) {
        expect(error).toBeInstanceOf(EvidenceError);
      }
    };
    for (let end = 0; end < good.length; end += 1) {
      expect(() => decodeSketch(good.subarray(0, end).toString('base64'))).toThrow(EvidenceError);
    }
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
        const changed = Uint8Array.from(good);
        changed[at] = byte;
        refused(changed);
      }),
      SEED,
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), refused), SEED);
    refused(Buffer.concat([good, Buffer.from([0])]));
  });
});

describe('the quantile digest', () => {
  it(`is within ${100 * QUANTILE_RELATIVE_ERROR} % of the true quantile`, () => {
    const values = fc.array(
      fc.double({ noNaN: true, min: -3, max: 7 }).map((power) => 10 ** power),
      { minLength: 1, maxLength: 300 },
    );
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, q) => {
        const digest = QuantileDigest.empty();
        for (const value of list) digest.add(value);
        const sorted = [...list].sort((a, b) => a - b);
        const truth = sorted[Math.max(0, Math.ceil(q * list.length) - 1)]!;
        const error = Math.abs(digest.quantile(q)! - truth) / truth;
        expect(error).toBeLessThanOrEqual(QUANTILE_RELATIVE_ERROR * (1 + 1e-9));
      }),
      SEED,
    );
    expect(QuantileDigest.empty().quantile(0.5)).toBeNull();
  });
});

describe('features', () => {
  it('of an image are the same in either layout', () => {
    const planes = Float32Array.from({ length: 3 * 8 }, (_, i) => Math.sin(i));
    const pixels = Float32Array.from(
      { length: 24 },
      (_, i) => planes[(i % 3) * 8 + Math.floor(i / 3)]!,
    );
    const first = inputFeatures(planes, channelLayout([3, 2, 4], undefined));
    const last = inputFeatures(pixels, channelLayout([2, 4, 3], 'NHWC'));
    expect(first.channelMeans).toHaveLength(3);
    first.channelMeans.forEach((mean, at) => expect(last.channelMeans[at]).toBeCloseTo(mean, 12));
    expect(last.brightness).toBeCloseTo(first.brightness, 12);
    expect(last.contrast).toBeCloseTo(first.contrast, 12);
  });

  it('of scores are the same from logits and from probabilities', () => {
    const scores = fc.array(fc.double({ noNaN: true, min: -8, max: 8 }), {
      minLength: 2,
      maxLength: 20,
    });
    fc.assert(
      fc.property(scores, (logits) => {
        const powers = logits.map(Math.exp);
        const sum = powers.reduce((a, b) => a + b, 0);
        const shares = Float32Array.from(powers, (power) => power / sum);
        const own = outputFeatures(Float32Array.from(logits), 'logits');
        const other = outputFeatures(shares);
        // Within the precision of float32 two scores may tie.
        if (own.predicted === other.predicted) {
          expect(Math.abs(other.confidence - own.confidence)).toBeLessThan(0.02);
        } else {
          expect(logits[own.predicted]! - logits[other.predicted]!).toBeLessThan(1e-5);
        }
      }),
      SEED,
    );
  });
});
