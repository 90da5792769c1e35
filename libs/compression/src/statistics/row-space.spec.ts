import { seededRandom } from '@espalier/dataset';
import fc from 'fast-check';
import type { Matrix } from '../linear-algebra/cholesky.js';
import { ridgeToward } from '../structure/ridge.js';
import { momentsOf } from './gram.js';
import { RowSpace } from './row-space.js';

/** The Gram of rows [x | t | 1]. */
function gramOf(z: Float32Array, rows: number, width: number): Float64Array {
  const sum = new Float64Array(width * width);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) sum[i * width + j]! += z[r * width + i]! * z[r * width + j]!;
    }
  }
  return sum;
}

const largest = (values: Float64Array): number =>
  values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);

describe('a fit in the space of the rows', () => {
  it('is the fit in the space of the columns', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 }), (seed) => {
        const random = seededRandom(seed);
        const [rows, n, m] = [4 + random.integer(8), 24 + random.integer(16), 3];
        const width = n + m + 1;
        const z = Float32Array.from({ length: rows * width }, (_, at) =>
          at % width === width - 1 ? 1 : random.normal(),
        );
        const w0: Matrix = {
          ...{ rows: m, cols: n },
          data: Float64Array.from({ length: m * n }, () => random.normal()),
        };
        const strength = 0.03;
        const whole = ridgeToward(momentsOf(gramOf(z, rows, width), n, m), w0, strength);

        const space = new RowSpace({ rows, cols: width, data: z }, n);
        const narrow = rows + m + 1;
        const inner = new Float32Array(rows * narrow);
        for (let r = 0; r < rows; r++) {
          inner.set(space.coordinates.data.subarray(r * rows, (r + 1) * rows), r * narrow);
          inner.set(z.subarray(r * width + n, (r + 1) * width), r * narrow + rows);
        }
        const entered = space.enter(w0);
        const moments = momentsOf(gramOf(inner, rows, narrow), rows, m);
        // The strength is a share of the mean diagonal, which is over fewer columns here.
        const fit = ridgeToward(moments, entered, (strength * rows) / n);
        const back = space.leave(w0, entered, fit.weight);
        const difference = back.data.map((value, i) => value - whole.weight.data[i]!);
        expect(largest(difference)).toBeLessThan(1e-3 * largest(whole.weight.data));
        expect(largest(fit.bias.map((value, o) => value - whole.bias[o]!))).toBeLessThan(1e-3);
      }),
      { numRuns: 60, seed: 20_263 },
    );
  });
});
