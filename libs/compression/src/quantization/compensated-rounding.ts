import { cholesky, inverse, type Matrix } from '../linear-algebra/cholesky.js';
import type { ColumnBlock, InputMoments } from './layer-moments.js';
import {
  clampRound,
  type IntegerWeights,
  largestPairSum,
  type Pairs,
  SAFE_PAIR_SUM,
} from './weight-scales.js';

/** What rounding must keep to. */
export interface RoundingRules {
  /** Columns of which no two may add up to more than is safe. */
  readonly pairs: Pairs | undefined;
  /** Weights [outputs, columns] that are 0 here stay 0. */
  readonly zeros: Matrix | undefined;
}

/** Share of the mean variance that is added to each; more where columns outnumber what was seen. */
const DAMPING = 1e-2;
const SCARCITY = 10;
const ATTEMPTS = 8;

/**
 * Rounds the weights of a layer column by column; what rounding a column loses, the columns after it
 * make up for as far as they vary together (GPTQ: Frantar and others, arXiv 2210.17323, after Optimal
 * Brain Surgeon). Columns that vary most go first. A row that would break the pair rule gets a larger
 * scale, and is rounded again.
 */
export function roundCompensated(
  weight: Matrix,
  moments: InputMoments,
  scales: Float64Array,
  rules: RoundingRules,
): IntegerWeights {
  const { rows, cols } = weight;
  const damping = DAMPING * (1 + (SCARCITY * cols) / Math.max(moments.rows, 1));
  const steps = moments.blocks.map((block) => compensation(block, damping));
  const out = {
    rows,
    cols,
    data: new Int8Array(rows * cols),
    scales: Float64Array.from(scales),
  };
  for (let o = 0; o < rows; o++) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      for (const step of steps) roundRow(weight, step, out, o, rules.zeros);
      if (!rules.pairs) break;
      const largest = largestPairSum(out, o, rules.pairs);
      if (largest <= SAFE_PAIR_SUM) break;
      out.scales[o] = (out.scales[o] as number) * (largest / SAFE_PAIR_SUM) * 1.002;
    }
  }
  if (rules.pairs) shrinkUnsafe(out, rules.pairs);
  return out;
}

/** The order of a block's columns, and what rounding each asks of those after it. */
interface Compensation {
  /** Columns of the layer, first to be rounded first. */
  readonly order: Int32Array;
  /** The upper factor U of the inverse of the damped moments in that order, U[i, j] at i * n + j. */
  readonly factor: Float64Array;
}

function compensation({ start, xx }: ColumnBlock, share: number): Compensation {
  const n = xx.rows;
  const variance = (k: number): number => xx.data[k * n + k] as number;
  const local = Array.from({ length: n }, (_, k) => k).sort(
    (a, b) => variance(b) - variance(a) || a - b,
  );
  let trace = 0;
  for (let i = 0; i < n; i++) trace += variance(i);
  const damping = (share * trace) / n + 1e-12;
  const ordered = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const from = (local[i] as number) * n;
    for (let j = 0; j < n; j++) ordered[i * n + j] = xx.data[from + (local[j] as number)] as number;
    ordered[i * n + i] = (ordered[i * n + i] as number) + damping;
  }
  const lower = cholesky(inverse(cholesky({ rows: n, cols: n, data: ordered }))).data;
  const factor = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) factor[i * n + j] = lower[j * n + i] as number;
  }
  return { order: Int32Array.from(local, (k) => start + k), factor };
}

function roundRow(
  weight: Matrix,
  { order, factor }: Compensation,
  out: { data: Int8Array; scales: Float64Array },
  output: number,
  zeros: Matrix | undefined,
): void {
  const n = order.length;
  const scale = out.scales[output] as number;
  const at = output * weight.cols;
  const left = Float64Array.from(order, (k) => weight.data[at + k] as number);
  for (let i = 0; i < n; i++) {
    const column = at + (order[i] as number);
    const value = left[i] as number;
    const stays = scale <= 0 || zeros?.data[column] === 0;
    const integer = stays ? 0 : clampRound(value / scale);
    out.data[column] = integer;
    const loss = (value - integer * scale) / (factor[i * n + i] as number);
    if (loss === 0) continue;
    const row = i * n;
    for (let j = i + 1; j < n; j++)
      left[j] = (left[j] as number) - loss * (factor[row + j] as number);
  }
}

/** Last resort for rows that larger scales did not make safe: the larger weight of a pair gives way. */
function shrinkUnsafe({ rows, cols, data }: IntegerWeights, pairs: Pairs): void {
  for (let o = 0; o < rows; o++) {
    const at = o * cols;
    for (let p = 0; p < pairs.length; p += 2) {
      const [a, b] = [at + (pairs[p] as number), at + (pairs[p + 1] as number)];
      const excess = Math.abs((data[a] as number) + (data[b] as number)) - SAFE_PAIR_SUM;
      if (excess <= 0) continue;
      const larger = Math.abs(data[a] as number) >= Math.abs(data[b] as number) ? a : b;
      data[larger] = (data[larger] as number) - Math.sign(data[larger] as number) * excess;
    }
  }
}
