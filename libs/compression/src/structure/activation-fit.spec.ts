import { seededRandom } from '@espalier/dataset';
import { GramEngine, momentsOf } from '../statistics/gram.js';
import type { RowBlock } from '../statistics/row-keeper.js';
import { type Bounds, errorThrough, fitThrough } from './activation-fit.js';
import { ridgeToward } from './ridge.js';

const [N, M, ROWS] = [6, 3, 400];

/** Rows whose target a nonlinear layer gave from more inputs than the fit may read. */
function rowsOf(seed: number, withShortcut: boolean): RowBlock {
  const random = seededRandom(seed);
  const normal = (): number => random.next() + random.next() + random.next() - 1.5;
  const width = N + M + 1;
  const hidden = Array.from({ length: M }, () => Array.from({ length: N + 4 }, normal));
  const data = new Float32Array(ROWS * width);
  const shortcut = withShortcut ? Float32Array.from({ length: ROWS * M }, normal) : undefined;
  for (let r = 0; r < ROWS; r++) {
    const x = Array.from({ length: N + 4 }, () => Math.max(normal(), -0.2));
    for (let j = 0; j < N; j++) data[r * width + j] = x[j]!;
    for (let o = 0; o < M; o++)
      data[r * width + N + o] = x.reduce((sum, value, j) => sum + value * hidden[o]![j]!, 0);
    data[(r + 1) * width - 1] = 1;
  }
  return { z: { rows: ROWS, cols: width, data }, shortcut };
}

describe('fitting a layer through the activation that follows', () => {
  let engine: GramEngine;
  beforeAll(async () => {
    engine = await GramEngine.open(1);
  });
  afterAll(() => engine.release());

  it.each<[string, Bounds, boolean]>([
    ['Relu', [0, Infinity], false],
    ['Relu after a residual sum', [0, Infinity], true],
    ['Clip to 6', [0, 6], false],
    ['Clip to a narrow range', [-0.5, 0.5], true],
  ])('lowers the error after %s below the linear fit', async (_name, bounds, withShortcut) => {
    for (let seed = 1; seed <= 12; seed++) {
      const block = rowsOf(seed, withShortcut);
      const sum = Float64Array.from(await engine.cross(block.z, block.z));
      const moments = momentsOf(sum, N, M);
      const w0 = { rows: M, cols: N, data: new Float64Array(M * N) };
      const linear = ridgeToward(moments, w0, 1e-4);
      const through = await fitThrough(bounds, moments, [block], w0, 1e-4, linear, engine);
      const [before, after] = [
        await errorThrough(bounds, block, linear, engine),
        await errorThrough(bounds, block, through, engine),
      ];
      expect(after).toBeLessThan(before);
    }
  });

  it('is the linear fit where nothing is clipped', async () => {
    const block = rowsOf(3, false);
    const moments = momentsOf(Float64Array.from(await engine.cross(block.z, block.z)), N, M);
    const w0 = { rows: M, cols: N, data: new Float64Array(M * N) };
    const linear = ridgeToward(moments, w0, 1e-4);
    const wide: Bounds = [-1e6, 1e6];
    const through = await fitThrough(wide, moments, [block], w0, 1e-4, linear, engine);
    through.weight.data.forEach((value, i) => {
      expect(value).toBeCloseTo(linear.weight.data[i]!, 3);
    });
  });
});
