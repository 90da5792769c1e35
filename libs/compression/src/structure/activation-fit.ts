import { graphOf, type Model } from '@espalier/onnx';
import { clipBounds } from '../channels/clip-bounds.js';
import { cholesky, solveRows } from '../linear-algebra/cholesky.js';
import type { GramEngine, Moments, Operand } from '../statistics/gram.js';
import type { RowBlock } from '../statistics/row-keeper.js';
import { type Affine, freeBias, multiply, ridgeSystem } from './ridge.js';

/** What an activation keeps values between. */
export type Bounds = readonly [number, number];

/** Most rounds of moving targets; each lowers the error, ever less. */
const ROUNDS = 12;

/** Share of the error below which another round is not worth its time. */
const LEAST_GAIN = 1e-3;

/** The one activation that reads a tensor, where no other node does. */
export function activationAfter(model: Model, tensor: string): Bounds | undefined {
  const graph = graphOf(model);
  if (graph.isOutput(tensor) || graph.usedInSubgraph(tensor)) return undefined;
  const bounds = graph.consumers(tensor).map((node) => clipBounds(graph, node));
  const [first] = bounds;
  const same = bounds.every((each) => each?.[0] === first?.[0] && each?.[1] === first?.[1]);
  return same ? first : undefined;
}

/**
 * Ridge regression toward given weights through the clipping activation that follows: an output
 * beyond a bound is as good as the bound, so it is not fitted where both it and its target are
 * beyond. Minimised by majorisation: targets beyond a bound follow the present output while that is
 * beyond too, and each round is a linear ridge with the same Gram. (The nonlinear response of Zhang
 * and others, arXiv 1505.06798, without their auxiliary variables.)
 * @param moments of the rows of `blocks` together
 * @param start where to begin: the linear fit
 */
export async function fitThrough(
  bounds: Bounds,
  moments: Moments,
  blocks: readonly RowBlock[],
  w0: Affine['weight'],
  strength: number,
  start: Affine,
  engine: GramEngine,
): Promise<Affine> {
  const factor = cholesky(ridgeSystem(moments.xx, strength));
  const [n, m] = [w0.cols, w0.rows];
  const toward = multiply(w0, moments.xx);
  let best = start;
  let least = Infinity;
  let now = start;
  for (let round = 0; round <= ROUNDS; round++) {
    let error = 0;
    const cross = new Float64Array(m * (n + 1));
    for (const block of blocks) {
      const moved = await moveTargets(bounds, block, now, engine);
      error += moved.error;
      const sums = await engine.cross(moved.targets, block.z);
      for (let o = 0; o < m; o++) {
        const from = o * block.z.cols;
        for (let j = 0; j < n; j++)
          cross[o * (n + 1) + j] = (cross[o * (n + 1) + j] as number) + (sums[from + j] as number);
        const last = o * (n + 1) + n;
        cross[last] = (cross[last] as number) + (sums[from + block.z.cols - 1] as number);
      }
    }
    const enough = error > least * (1 - LEAST_GAIN);
    if (error < least) [best, least] = [now, error];
    if (enough || round === ROUNDS) break;
    const meanT = new Float64Array(m);
    const residual = new Float64Array(m * n);
    for (let o = 0; o < m; o++) {
      const sum = cross[o * (n + 1) + n] as number;
      meanT[o] = sum / Math.max(moments.rows, 1);
      for (let j = 0; j < n; j++) {
        const centred = (cross[o * (n + 1) + j] as number) - sum * (moments.meanX[j] as number);
        residual[o * n + j] = centred - (toward.data[o * n + j] as number);
      }
    }
    const delta = solveRows(factor, { rows: m, cols: n, data: residual });
    const weight = {
      rows: m,
      cols: n,
      data: w0.data.map((w, i) => w + (delta.data[i] as number)),
    };
    now = { weight, bias: freeBias(weight, moments.meanX, meanT) };
  }
  return best;
}

/** Squared error after the activation, over the variance of what should come out. */
export async function errorThrough(
  bounds: Bounds,
  block: RowBlock,
  map: Affine,
  engine: GramEngine,
): Promise<number> {
  const { error, energy } = await moveTargets(bounds, block, map, engine);
  return error / Math.max(energy, 1e-30);
}

/** Targets as the activation lets them move [rows, outputs], and the error after it. */
async function moveTargets(
  [low, high]: Bounds,
  { z, shortcut }: RowBlock,
  { weight, bias }: Affine,
  engine: GramEngine,
): Promise<{ targets: Operand; error: number; energy: number }> {
  const [m, n] = [weight.rows, weight.cols];
  const rows = new Float32Array(m * z.cols);
  for (let o = 0; o < m; o++) {
    for (let j = 0; j < n; j++) rows[o * z.cols + j] = weight.data[o * n + j] as number;
    rows[(o + 1) * z.cols - 1] = bias[o] as number;
  }
  const outputs = await engine.project(z, { rows: m, cols: z.cols, data: rows });
  const targets = new Float32Array(z.rows * m);
  const [sum, squares] = [new Float64Array(m), new Float64Array(m)];
  let error = 0;
  for (let r = 0; r < z.rows; r++) {
    for (let o = 0; o < m; o++) {
      const at = r * m + o;
      const y = outputs[at] as number;
      const t = z.data[r * z.cols + n + o] as number;
      const s = shortcut ? (shortcut[at] as number) : 0;
      const [from, to] = [low - s, high - s];
      targets[at] = t <= from ? Math.min(y, from) : t >= to ? Math.max(y, to) : t;
      const wanted = Math.min(Math.max(t, from), to) + s;
      const missed = Math.min(Math.max(y, from), to) + s - wanted;
      error += missed * missed;
      sum[o] = (sum[o] as number) + wanted;
      squares[o] = (squares[o] as number) + wanted * wanted;
    }
  }
  const energy = squares.reduce(
    (total, each, o) => total + each - (sum[o] as number) ** 2 / Math.max(z.rows, 1),
    0,
  );
  return { targets: { rows: z.rows, cols: m, data: targets }, error, energy };
}
