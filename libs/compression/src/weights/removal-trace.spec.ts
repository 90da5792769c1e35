import { seededRandom } from '@espalier/dataset';
import fc from 'fast-check';
import type { Matrix } from '../linear-algebra/cholesky.js';
import { removeCheapest, solveRemaining, sortedCosts, traceRemovals } from './removal-trace.js';

/** Weights and a positive definite Hessian with correlated columns. */
function problem(rows: number, cols: number, seed: number): { weight: Matrix; hessian: Matrix } {
  const { normal } = seededRandom(seed);
  const shared = Array.from({ length: 3 }, () => Float64Array.from({ length: cols }, normal));
  const samples = Array.from({ length: 2 * cols + 4 }, () => {
    const common = shared.map(() => normal());
    return Float64Array.from({ length: cols }, (_, j) =>
      common.reduce((sum, c, k) => sum + c * (shared[k]?.[j] ?? 0), normal()),
    );
  });
  const data = new Float64Array(cols * cols);
  for (const x of samples) {
    for (let i = 0; i < cols; i++) {
      for (let j = 0; j < cols; j++) data[i * cols + j]! += x[i]! * x[j]!;
    }
  }
  return {
    weight: { rows, cols, data: Float64Array.from({ length: rows * cols }, normal) },
    hessian: { rows: cols, cols, data },
  };
}

/** Sum over rows of (w - w0) H (w - w0)ᵀ. */
function errorOf(w: Matrix, w0: Matrix, hessian: Matrix): number {
  const n = w.cols;
  let error = 0;
  for (let r = 0; r < w.rows; r++) {
    const d = Float64Array.from({ length: n }, (_, i) => w.data[r * n + i]! - w0.data[r * n + i]!);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) error += d[i]! * hessian.data[i * n + j]! * d[j]!;
    }
  }
  return error;
}

const withRemoved = (w: Matrix, removed: Uint8Array): Matrix => ({
  ...w,
  data: w.data.map((v, i) => (removed[i] ? 0 : v)),
});

const problems = fc.record({
  rows: fc.integer({ min: 1, max: 4 }),
  cols: fc.integer({ min: 1, max: 12 }),
  seed: fc.nat(),
});

describe('removing weights by OBS', () => {
  it('takes first the weight whose removal, made up for, costs least', () => {
    fc.assert(
      fc.property(problems, ({ cols, seed }) => {
        const { weight, hessian } = problem(1, cols, seed);
        const each = Array.from({ length: cols }, (_, c) => {
          const removed = new Uint8Array(cols);
          removed[c] = 1;
          return errorOf(solveRemaining(weight, hessian, removed), weight, hessian);
        });
        const [trace] = traceRemovals(weight, hessian);
        const least = Math.min(...each);
        expect(each[trace!.columns[0]!]).toBeCloseTo(least, 8);
        expect(trace!.costs[0]).toBeCloseTo(least, 8);
      }),
    );
  });

  it('removes as many as asked, each weight once, and knows what that costs', () => {
    fc.assert(
      fc.property(
        problems,
        fc.double({ min: 0, max: 1, noNaN: true }),
        ({ rows, cols, seed }, share) => {
          const { weight, hessian } = problem(rows, cols, seed);
          const traces = traceRemovals(weight, hessian);
          const count = Math.round(share * rows * cols);
          const removed = removeCheapest(traces, count, weight);
          expect(removed.reduce((a, b) => a + b, 0)).toBe(count);
          const solved = solveRemaining(weight, hessian, removed);
          solved.data.forEach((w, i) => expect(w === 0).toBe(removed[i] === 1));
          const bound = sortedCosts(traces)
            .subarray(0, count)
            .reduce((a, b) => a + b, 0);
          expect(errorOf(solved, weight, hessian)).toBeLessThanOrEqual(bound * (1 + 1e-6) + 1e-9);
        },
      ),
    );
  });

  it('leaves the remaining weights where no change of them lowers the error', () => {
    fc.assert(
      fc.property(problems, ({ rows, cols, seed }) => {
        const { weight, hessian } = problem(rows, cols, seed);
        const removed = removeCheapest(traceRemovals(weight, hessian), (rows * cols) >> 1, weight);
        const solved = solveRemaining(weight, hessian, removed);
        const error = errorOf(solved, weight, hessian);
        solved.data.forEach((w, i) => {
          if (removed[i]) return;
          for (const change of [-1e-3, 1e-3]) {
            const moved = Float64Array.from(solved.data);
            moved[i] = w + change;
            const other = errorOf({ ...solved, data: moved }, weight, hessian);
            expect(other).toBeGreaterThanOrEqual(error * (1 - 1e-9));
          }
        });
      }),
    );
  });

  it('loses less than half of what magnitude loses at the same count, on the whole', () => {
    let [byObs, byMagnitude] = [0, 0];
    for (let seed = 0; seed < 20; seed++) {
      const { weight, hessian } = problem(4, 24, seed);
      const count = 48;
      const removed = removeCheapest(traceRemovals(weight, hessian), count, weight);
      const limit = [...weight.data].map(Math.abs).sort((a, b) => a - b)[count - 1]!;
      const small = Uint8Array.from(weight.data, (w) => (Math.abs(w) <= limit ? 1 : 0));
      byObs += errorOf(solveRemaining(weight, hessian, removed), weight, hessian);
      byMagnitude += errorOf(withRemoved(weight, small), weight, hessian);
    }
    expect(byObs).toBeLessThan(byMagnitude / 2);
  });

  it('takes wide rows in blocks and still makes up across them', () => {
    const { weight, hessian } = problem(1, 530, 7);
    const removed = removeCheapest(traceRemovals(weight, hessian), 265, weight);
    expect(removed.reduce((a, b) => a + b, 0)).toBe(265);
    const [made, plain] = [solveRemaining(weight, hessian, removed), withRemoved(weight, removed)];
    expect(errorOf(made, weight, hessian)).toBeLessThan(errorOf(plain, weight, hessian) / 4);
  });
});
