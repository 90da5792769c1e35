import type { Matrix } from '../linear-algebra/cholesky.js';

/** Largest magnitude of a quantized weight; -128 is left out so that the range is symmetric. */
export const WEIGHT_LEVELS = 127;

/** VPMADDUBSW adds two products of up to 255 times a weight in 16 bits: 255 * 128 still fits. */
export const SAFE_PAIR_SUM = 128;

/** Integer weights of one group of a layer [outputs, columns], and a scale an output. */
export interface IntegerWeights {
  readonly rows: number;
  readonly cols: number;
  readonly data: Int8Array;
  readonly scales: Float64Array;
}

/** Pairs of columns that a kernel may multiply and add at once, flat: a0, b0, a1, b1, … */
export type Pairs = Int32Array;

/**
 * Columns next to each other along the reduction, in the file's order (channel, then tap) and in the
 * order of kernels that keep channels last (tap, then channel).
 * @param columns of the layer's rows: channels of a group times taps
 */
export function adjacentPairs(columns: number, taps: number): Pairs {
  const pairs = new Set<number>();
  const channels = columns / taps;
  const add = (a: number, b: number): unknown =>
    pairs.add(Math.min(a, b) * columns + Math.max(a, b));
  for (let i = 0; i + 1 < columns; i++) {
    add(i, i + 1);
    const last = (k: number): number => (k % channels) * taps + Math.floor(k / channels);
    add(last(i), last(i + 1));
  }
  return Int32Array.from([...pairs].flatMap((key) => [Math.floor(key / columns), key % columns]));
}

const STEPS = 12;
const LEAST_SHARE = 0.76;

/**
 * A scale for each output that makes the least squared error, each column weighed by how much what
 * it reads varies; then enlarged where a pair of columns would add up to more than is safe.
 * @param energy of each column's input
 * @param pairs that must stay within 128, or none
 */
export function chooseWeightScales(
  weight: Matrix,
  energy: Float64Array | undefined,
  pairs: Pairs | undefined,
): Float64Array {
  const { rows, cols, data } = weight;
  const scales = new Float64Array(rows);
  for (let o = 0; o < rows; o++) {
    const row = data.subarray(o * cols, (o + 1) * cols);
    let largest = 0;
    for (const w of row) largest = Math.max(largest, Math.abs(w));
    let best = { scale: largest / WEIGHT_LEVELS, error: Infinity };
    for (let step = 0; step <= STEPS; step++) {
      const scale = (largest * (1 - ((1 - LEAST_SHARE) * step) / STEPS)) / WEIGHT_LEVELS;
      const error = roundingError(row, scale, energy);
      if (error < best.error) best = { scale, error };
    }
    scales[o] = pairs ? Math.max(best.scale, safeScale(row, pairs)) : best.scale;
  }
  return scales;
}

/** The least scale at which no pair exceeds the safe sum, whichever way both are rounded. */
function safeScale(row: Float64Array, pairs: Pairs): number {
  let largest = 0;
  for (let p = 0; p < pairs.length; p += 2) {
    const sum = (row[pairs[p] as number] as number) + (row[pairs[p + 1] as number] as number);
    largest = Math.max(largest, Math.abs(sum));
  }
  return largest / (SAFE_PAIR_SUM - 1);
}

function roundingError(row: Float64Array, scale: number, energy: Float64Array | undefined): number {
  if (scale <= 0) return 0;
  let error = 0;
  for (let k = 0; k < row.length; k++) {
    const w = row[k] as number;
    error += (w - clampRound(w / scale) * scale) ** 2 * (energy ? (energy[k] as number) : 1);
  }
  return error;
}

/** The nearest quantized weight. */
export function clampRound(value: number): number {
  if (value >= WEIGHT_LEVELS) return WEIGHT_LEVELS;
  if (value <= -WEIGHT_LEVELS) return -WEIGHT_LEVELS;
  return Math.round(value);
}

/** Rounds each weight by itself. A row whose scale is 0 becomes zeros. */
export function roundToNearest(weight: Matrix, scales: Float64Array): IntegerWeights {
  const { rows, cols } = weight;
  const data = new Int8Array(rows * cols);
  for (let o = 0; o < rows; o++) {
    const scale = scales[o] as number;
    if (scale <= 0) continue;
    for (let k = 0; k < cols; k++)
      data[o * cols + k] = clampRound((weight.data[o * cols + k] as number) / scale);
  }
  return { rows, cols, data, scales };
}

/** The largest magnitude of a pair's sum in one output. */
export function largestPairSum(
  { cols, data }: IntegerWeights,
  output: number,
  pairs: Pairs,
): number {
  let largest = 0;
  const at = output * cols;
  for (let p = 0; p < pairs.length; p += 2) {
    const sum =
      (data[at + (pairs[p] as number)] as number) + (data[at + (pairs[p + 1] as number)] as number);
    largest = Math.max(largest, Math.abs(sum));
  }
  return largest;
}

/** The reals that quantized weights stand for. */
export function dequantized({ rows, cols, data, scales }: IntegerWeights): Matrix {
  const out = new Float64Array(rows * cols);
  for (let o = 0; o < rows; o++) {
    for (let k = 0; k < cols; k++)
      out[o * cols + k] = (data[o * cols + k] as number) * (scales[o] as number);
  }
  return { rows, cols, data: out };
}
