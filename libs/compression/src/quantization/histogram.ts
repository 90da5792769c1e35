import { type AffineScale, rangeOf, scaleFor } from './affine.js';

/** Bins on either side of zero. */
const HALF = 1024;
const FIRST_REACH = 2 ** -10;

/**
 * How often a tensor's values fall where, over a range that doubles as values ask for it: one pass,
 * in constant memory. Exact zeros, which any scale holds, are not counted.
 */
export class Histogram {
  min = 0;
  max = 0;
  /** False once a value was not a finite number. */
  finite = true;
  /** Magnitude that the bins reach to. */
  private reach = FIRST_REACH;
  private readonly counts = new Float64Array(2 * HALF);

  /** Counts every `stride`-th value from `start` on. */
  add(values: Float32Array, start: number, stride: number): void {
    const { counts } = this;
    let { min, max, reach } = this;
    let factor = HALF / reach;
    for (let i = start; i < values.length; i += stride) {
      const value = values[i] as number;
      if (value === 0) continue;
      if (value < min) min = value;
      else if (value > max) max = value;
      if (value >= reach || value <= -reach || value !== value) {
        if (!Number.isFinite(value)) {
          this.finite = false;
          return;
        }
        while (this.reach <= Math.abs(value)) this.widen();
        reach = this.reach;
        factor = HALF / reach;
      }
      const bin = (value * factor + HALF) | 0;
      counts[bin] = (counts[bin] as number) + 1;
    }
    this.min = min;
    this.max = max;
  }

  private widen(): void {
    const { counts } = this;
    const merged = new Float64Array(counts.length);
    for (let i = 0; i < HALF; i++)
      merged[HALF / 2 + i] = (counts[2 * i] as number) + (counts[2 * i + 1] as number);
    counts.set(merged);
    this.reach *= 2;
  }

  /** What a scale makes of the values, once they are kept within bounds: its sum of squared errors. */
  errorOf(lower: number, upper: number): (scale: AffineScale) => number {
    const width = this.reach / HALF;
    const length = this.counts.length;
    // Running sums of 1, x and x² over the values below a bin.
    const [ones, firsts, seconds] = [0, 1, 2].map(() => new Float64Array(length + 1)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    for (let bin = 0; bin < length; bin++) {
      const n = this.counts[bin] as number;
      const middle = (bin - HALF + 0.5) * width;
      const x = middle < lower ? lower : middle > upper ? upper : middle;
      ones[bin + 1] = (ones[bin] as number) + n;
      firsts[bin + 1] = (firsts[bin] as number) + n * x;
      seconds[bin + 1] = (seconds[bin] as number) + n * x * x;
    }
    const beyond = (end: number, from: number, to: number): number => {
      const of = (sums: Float64Array): number => (sums[to] as number) - (sums[from] as number);
      return of(seconds) - 2 * end * of(firsts) + end * end * of(ones);
    };
    const edge = (value: number): number =>
      Math.min(Math.max(Math.round(value / width) + HALF, 0), length);
    return (scale) => {
      const [low, high] = rangeOf(scale);
      const rounding = ((ones[length] as number) * scale.scale ** 2) / 12;
      return beyond(low, 0, edge(low)) + beyond(high, edge(high), length) + rounding;
    };
  }
}

/** Shares of the extremes that are tried as the ends of a range. */
const INWARDS = sharesBetween(1, 0.25, 64);
const OUTWARDS = sharesBetween(1, 1.5, 25);

function sharesBetween(first: number, last: number, steps: number): readonly number[] {
  return Array.from({ length: steps + 1 }, (_, i) => first + ((last - first) * i) / steps);
}

type Ends = readonly [number, number];

/**
 * The scale with the least mean squared error of rounding and clipping together: the range is searched
 * from the extremes inwards, one end after the other, and rare values are cut off. An end that stays
 * at the extreme is then moved outwards as far as it lowers the error on values that it was not drawn
 * from, each part of the samples being judged by the extremes of the others: few samples do not show
 * how far values reach.
 * @param parts histograms of disjoint samples
 * @param lower bound that an absorbed activation sets
 * @param upper the same
 */
export function chooseScale(
  parts: readonly Histogram[],
  lower: number,
  upper: number,
): AffineScale {
  const filled = parts.filter(({ min, max }) => min < 0 || max > 0);
  const errors = filled.map((part) => part.errorOf(lower, upper));
  const scaleOf = (ends: Ends): AffineScale =>
    scaleFor(Math.max(ends[0], lower), Math.min(ends[1], upper));
  const extremes = extremesOf(filled);
  const whole: Ends = [Math.max(extremes[0], lower), Math.min(extremes[1], upper)];
  const total = (ends: Ends): number =>
    errors.reduce((sum, error) => sum + error(scaleOf(ends)), 0);
  let ends = whole;
  for (const side of [1, 0, 1, 0] as const) {
    const share = bestShare(INWARDS, (s) => total(withEnd(ends, side, whole[side] * s)));
    ends = withEnd(ends, side, whole[side] * share);
  }
  if (filled.length < 2) return scaleOf(ends);
  const others = filled.map((part) => extremesOf(filled.filter((other) => other !== part)));
  for (const side of [1, 0] as const) {
    if (ends[side] !== whole[side]) continue;
    const unseen = (share: number): number =>
      errors.reduce((sum, error, i) => {
        const seen = others[i]?.[side] ?? 0;
        return sum + error(scaleOf(withEnd(ends, side, seen * share)));
      }, 0);
    ends = withEnd(ends, side, whole[side] * bestShare(OUTWARDS, unseen));
  }
  return scaleOf(ends);
}

function extremesOf(parts: readonly Histogram[]): Ends {
  return [Math.min(0, ...parts.map(({ min }) => min)), Math.max(0, ...parts.map(({ max }) => max))];
}

function withEnd(ends: Ends, side: 0 | 1, value: number): Ends {
  return side === 0 ? [value, ends[1]] : [ends[0], value];
}

/** The share with the least error, the first of equals. */
function bestShare(shares: readonly number[], errorOf: (share: number) => number): number {
  let best = { share: shares[0] ?? 1, error: Infinity };
  for (const share of shares) {
    const error = errorOf(share);
    if (error < best.error) best = { share, error };
  }
  return best.share;
}
