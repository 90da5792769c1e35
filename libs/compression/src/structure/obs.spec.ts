import { seededRandom } from '@espalier/dataset';
import fc from 'fast-check';
import { cholesky, type Matrix, pick, solveRows } from '../linear-algebra/cholesky.js';
import { multiply } from './ridge.js';
import { removalOrder, swapUnits } from './obs.js';
import { type ObsReader, openReader, removeUnit, restoreUnit } from './obs-state.js';

/** A reader of `units` units of `taps` columns, over correlated inputs. */
function readerOf(seed: number, units: number, taps: number): ObsReader {
  const random = seededRandom(seed);
  const normal = (): number => random.next() + random.next() + random.next() - 1.5;
  const n = units * taps;
  const [m, rows] = [3, 4 * n];
  const mixing = Array.from({ length: n }, () => Array.from({ length: 4 }, normal));
  const x = Array.from({ length: rows }, () => {
    const hidden = Array.from({ length: 4 }, normal);
    return mixing.map((mix) => mix.reduce((s, a, i) => s + a * hidden[i]!, 0) + 0.3 * normal());
  });
  const xx = new Float64Array(n * n);
  for (const row of x)
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) xx[i * n + j]! += row[i]! * row[j]!;
  return {
    weight: { rows: m, cols: n, data: Float64Array.from({ length: m * n }, normal) },
    xx: { rows: n, cols: n, data: xx },
    columns: Array.from({ length: units }, (_, u) =>
      Array.from({ length: taps }, (_, t) => u * taps + t),
    ),
    share: 1,
  };
}

/** Least squared error of the reader with units removed, by solving for the rest outright. */
function errorWithout(reader: ObsReader, removed: readonly number[]): number {
  const state = openReader(reader);
  const n = reader.xx.rows;
  const gram: Matrix = { rows: n, cols: n, data: state.gram };
  const gone = removed.flatMap((u) => reader.columns[u]!);
  const kept = Array.from({ length: n }, (_, i) => i).filter((i) => !gone.includes(i));
  const w = pick(reader.weight, null, gone);
  const across = multiply(w, pick(gram, gone, kept));
  const solved = solveRows(cholesky(pick(gram, kept, kept)), across);
  const own = multiply(w, pick(gram, gone, gone));
  let error = 0;
  own.data.forEach((value, i) => (error += value * w.data[i]!));
  across.data.forEach((value, i) => (error -= value * solved.data[i]!));
  return error;
}

describe('removing units by OBS', () => {
  it('is undone by bringing the unit back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.constantFrom(1, 4), (seed, taps) => {
        const reader = readerOf(seed, 6, taps);
        const [state, before] = [openReader(reader), openReader(reader)];
        removeUnit(before, 2);
        for (const unit of [2, 4, 1]) removeUnit(state, unit);
        for (const unit of [4, 1]) restoreUnit(state, unit);
        const scale = Math.max(...before.h.map(Math.abs));
        for (let r = 0; r < state.n; r++) {
          if (state.live[r] !== 1) continue;
          for (let c = 0; c < state.n; c++) {
            if (state.live[c] !== 1) continue;
            const at = r * state.n + c;
            expect(Math.abs(state.h[at]! - before.h[at]!)).toBeLessThan(1e-6 * scale);
          }
        }
        state.w.forEach((value, i) => {
          expect(value).toBeCloseTo(before.w[i]!, 5);
        });
      }),
      { numRuns: 40, seed: 3 },
    );
  });

  it('costs no more after exchanges than in the greedy order, and often less', () => {
    let lower = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.constantFrom(1, 3), (seed, taps) => {
        const reader = readerOf(seed, 10, taps);
        const { order } = removalOrder(10, [reader]);
        const [removed, kept] = [order.slice(0, 6), order.slice(6)];
        const pinned = new Set(kept.slice(-1));
        const swapped = swapUnits([reader], removed, kept, pinned);
        expect(new Set(swapped).size).toBe(6);
        expect(swapped.some((unit) => pinned.has(unit))).toBe(false);
        const [greedy, local] = [errorWithout(reader, removed), errorWithout(reader, swapped)];
        expect(local).toBeLessThanOrEqual(greedy * (1 + 1e-9));
        if (local < greedy * (1 - 1e-4)) lower++;
      }),
      { numRuns: 60, seed: 5 },
    );
    expect(lower).toBeGreaterThan(5);
  });
});
