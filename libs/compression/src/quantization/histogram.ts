import { type AffineScale, rangeOf, scaleFor } from './affine.js';

export const BINS = 2048;

/** How often a tensor's values fall where. */
export interface Histogram {
  readonly lower: number;
  readonly upper: number;
  /** BINS counts of equal width from `lower` to `upper`; exact zeros are counted apart. */
  readonly counts: Float64Array;
}

/** An empty histogram over a range. */
export function openHistogram(lower: number, upper: number): Histogram {
  return { lower, upper, counts: new Float64Array(BINS) };
}

/** Counts every `stride`-th value from `start` on. */
export function count(
  { lower, upper, counts }: Histogram,
  values: Float32Array,
  end: number,
  start: number,
  stride: number,
): void {
  const factor = BINS / Math.max(upper - lower, 1e-30);
  for (let i = start; i < end; i += stride) {
    const value = values[i] as number;
    if (value === 0) continue;
    const bin = Math.min(Math.max(((value - lower) * factor) | 0, 0), BINS - 1);
    counts[bin] = (counts[bin] as number) + 1;
  }
}

/** Steps by which a range may shrink at one end, and the smallest share of it that is tried. */
const STEPS = 64;
const LEAST_SHARE = 0.25;

/**
 * The range with the least mean squared error of rounding and clipping together, by search from the
 * whole range inwards, one end after the other.
 */
export function chooseScale(histogram: Histogram): AffineScale {
  let low = Math.min(histogram.lower, 0);
  let high = Math.max(histogram.upper, 0);
  const search = (at: (share: number) => [number, number]): [number, number] => {
    let best: { range: [number, number]; error: number } = { range: at(1), error: Infinity };
    for (let step = 0; step <= STEPS; step++) {
      const range = at(1 - ((1 - LEAST_SHARE) * step) / STEPS);
      const error = squaredError(histogram, scaleFor(...range));
      if (error < best.error) best = { range, error };
    }
    return best.range;
  };
  const [wholeLow, wholeHigh] = [low, high];
  const rounds = low < 0 && high > 0 ? 2 : 1;
  for (let round = 0; round < rounds; round++) {
    if (wholeHigh > 0) [low, high] = search((share) => [low, wholeHigh * share]);
    if (wholeLow < 0) [low, high] = search((share) => [wholeLow * share, high]);
  }
  return scaleFor(low, high);
}

/** Sum over the values of the squared error that a scale makes. */
export function squaredError(histogram: Histogram, scale: AffineScale): number {
  const { lower, upper, counts } = histogram;
  const [low, high] = rangeOf(scale);
  const width = (upper - lower) / BINS;
  const rounding = scale.scale ** 2 / 12;
  let error = 0;
  for (let bin = 0; bin < BINS; bin++) {
    const n = counts[bin] as number;
    if (n === 0) continue;
    const value = lower + (bin + 0.5) * width;
    const beyond = value < low ? low - value : value > high ? value - high : 0;
    error += n * (beyond > 0 ? beyond * beyond + rounding : rounding);
  }
  return error;
}
