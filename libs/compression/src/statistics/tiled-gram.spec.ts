import { seededRandom } from '@espalier/dataset';
import fc from 'fast-check';
import type { Matrix } from '../linear-algebra/cholesky.js';
import { choleskyTiles, solveRowsTiles, Tiles, timesTiles } from '../linear-algebra/tiles.js';
import { multiply, ridgeStep } from '../structure/ridge.js';
import { GramAccumulator, GramEngine, momentsOf } from './gram.js';
import { aboutZero } from './regression.js';
import { TiledGram } from './tiled-gram.js';

const furthest = (a: Float64Array, b: Float64Array): number =>
  a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
const largest = (a: Float64Array): number => a.reduce((max, v) => Math.max(max, Math.abs(v)), 0);

/** The whole of a symmetric matrix in tiles. */
function whole(tiles: Tiles): Float64Array {
  const { n, side } = tiles;
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [r, c] = [Math.max(Math.floor(at / n), at % n), Math.min(Math.floor(at / n), at % n)];
    const tile = tiles.at(Math.floor(r / side), Math.floor(c / side));
    return tile.data[(r % side) * tile.cols + (c % side)]!;
  });
}

describe('a Gram in tiles', () => {
  let engine: GramEngine;
  beforeAll(async () => (engine = await GramEngine.open(1)));
  afterAll(() => engine.release());

  it('has the moments, the products and the ridge solution of the plain one, at any side of a tile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 25 }),
        fc.integer({ min: 2, max: 1500 }),
        fc.constantFrom('means' as const, 'zero' as const),
        fc.integer(),
        async (n, m, side, rows, about, seed) => {
          const random = seededRandom(seed);
          const plain = new GramAccumulator(engine, n + m + 1);
          const tiled = new TiledGram(engine, n, m, side);
          const shift = 2 * random.normal();
          for (let r = 0; r < rows; r++) {
            const row = Float32Array.from({ length: n + m + 1 }, (_, i) =>
              i === n + m ? 1 : shift + random.normal(),
            );
            for (const gram of [plain, tiled]) {
              const { into, at } = gram.next();
              into.set(row, at);
              if (gram.commit()) await gram.flush();
            }
          }
          await plain.flush();
          const centred = momentsOf(plain.sum, n, m);
          const wanted = about === 'zero' ? aboutZero(centred) : centred;
          const found = await tiled.moments(about);
          const bound = 1e-5 * rows * (1 + shift ** 2);
          expect(found.rows).toBe(rows);
          expect(furthest(whole(found.xx), wanted.xx.data)).toBeLessThan(bound);
          expect(furthest(found.tx.data, wanted.tx.data)).toBeLessThan(bound);
          expect(furthest(found.meanX, wanted.meanX)).toBeLessThan(1e-4 * (1 + Math.abs(shift)));
          expect(furthest(found.meanT, wanted.meanT)).toBeLessThan(1e-4 * (1 + Math.abs(shift)));

          // From here on the same moments for both, so that only the algebra differs.
          const xx: Matrix = { rows: n, cols: n, data: whole(found.xx) };
          const w0: Matrix = {
            ...{ rows: m, cols: n },
            data: Float64Array.from({ length: m * n }, () => random.normal()),
          };
          const product = await timesTiles(w0, found.xx, engine);
          const expected = multiply(w0, xx);
          expect(furthest(product.data, expected.data)).toBeLessThanOrEqual(
            1e-10 * (1 + largest(expected.data)),
          );
          const residual = { ...w0, data: found.tx.data };
          const plainStep = ridgeStep(xx, residual, w0, 1e-2);
          const ridge = (1e-2 * found.xx.trace()) / n + 1e-12;
          const lower = new Tiles(n, side);
          const factor = await choleskyTiles(found.xx, ridge, engine, lower);
          const delta = await solveRowsTiles(factor, residual, engine);
          const step = delta.data.map((value, at) => value + w0.data[at]!);
          expect(furthest(step, plainStep.data)).toBeLessThan(1e-6 * (1 + largest(plainStep.data)));
        },
      ),
      { numRuns: 20, seed: 20_265 },
    );
  }, 120_000);
});
