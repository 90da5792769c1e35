import { choleskyTiles, solveRowsTiles, Tiles, timesTiles } from '../linear-algebra/tiles.js';
import type { GramEngine } from '../statistics/gram.js';
import type { RowBlock } from '../statistics/row-keeper.js';
import type { TiledMoments } from '../statistics/tiled-gram.js';
import { type Bounds, errorThrough } from './activation-fit.js';
import { type Affine, freeBias, RIDGE_STRENGTHS } from './ridge.js';

/** Where among the strengths the search for one begins. */
const MIDDLE = 2;

const UNBOUNDED: Bounds = [-Infinity, Infinity];

/**
 * Ridge regression toward given weights for a layer whose Gram is in tiles: linear, its strength and
 * whether it is taken at all chosen by the error, after the activation that follows, on rows held out.
 * @param held few of all rows, so that the fit is not made again with them
 */
export async function fitTiled(
  { xx, tx, meanX, meanT }: TiledMoments,
  held: RowBlock,
  before: Affine,
  bounds: Bounds | undefined,
  engine: GramEngine,
): Promise<{ map: Affine; strength: number; errorBefore: number; errorAfter: number }> {
  const { rows, cols, data: w0 } = before.weight;
  const toward = await timesTiles(before.weight, xx, engine);
  const residual = tx.data.map((value, at) => value - (toward.data[at] as number));
  const error = (map: Affine): Promise<number> =>
    errorThrough(bounds ?? UNBOUNDED, held, map, engine);
  const errorBefore = await error(before);
  const lower = new Tiles(xx.n, xx.side);
  let best = { map: before, strength: 0, errorBefore, errorAfter: errorBefore };
  const tryStrength = async (strength: number): Promise<number> => {
    const ridge = (strength * xx.trace()) / Math.max(cols, 1) + 1e-12;
    const factor = await choleskyTiles(xx, ridge, engine, lower);
    const delta = await solveRowsTiles(factor, { rows, cols, data: residual }, engine);
    const weight = { rows, cols, data: w0.map((w, at) => w + (delta.data[at] as number)) };
    const map = { weight, bias: freeBias(weight, meanX, meanT) };
    const errorAfter = await error(map);
    if (errorAfter < best.errorAfter) best = { map, strength, errorBefore, errorAfter };
    return errorAfter;
  };
  // Each strength costs a factor: from the middle, the side on which the error falls is followed.
  const first = await tryStrength(RIDGE_STRENGTHS[MIDDLE]);
  for (const step of [1, -1]) {
    let last = first;
    for (let at = MIDDLE + step; at >= 0 && at < RIDGE_STRENGTHS.length; at += step) {
      const errorAfter = await tryStrength(RIDGE_STRENGTHS[at] ?? 1);
      if (!(errorAfter < last)) break;
      last = errorAfter;
    }
    if (last < first) break;
  }
  return best;
}
