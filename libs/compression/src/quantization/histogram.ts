import { type AffineScale, rangeOf, scaleFor } from './affine.js';

/** Bins on either side of zero. */
const HALF = 2048;
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

  /** Sum over the values of the squared error that a scale makes of them, once within the bounds. */
  squaredError(scale: AffineScale, lower: number, upper: number): number {
    const [low, high] = rangeOf(scale);
    const width = this.reach / HALF;
    const rounding = scale.scale ** 2 / 12;
    const first = Math.max(Math.floor(this.min / width) + HALF, 0);
    const last = Math.min(Math.ceil(this.max / width) + HALF, 2 * HALF - 1);
    let error = 0;
    for (let bin = first; bin <= last; bin++) {
      const n = this.counts[bin] as number;
      if (n === 0) continue;
      const value = Math.min(Math.max((bin - HALF + 0.5) * width, lower), upper);
      const beyond = value < low ? low - value : value > high ? value - high : 0;
      error += n * (beyond * beyond + rounding);
    }
    return error;
  }
}

/** Steps by which a range may shrink at one end, and the smallest share of it that is tried. */
const STEPS = 64;
const LEAST_SHARE = 0.25;

/**
 * The scale with the least mean squared error of rounding and clipping together, searched from the
 * whole range inwards, one end after the other.
 * @param lower bound that an absorbed activation sets
 * @param upper the same
 */
export function chooseScale(histogram: Histogram, lower: number, upper: number): AffineScale {
  const whole = [Math.max(histogram.min, lower), Math.min(histogram.max, upper)] as const;
  let [low, high]: readonly [number, number] = whole;
  const search = (at: (share: number) => readonly [number, number]): readonly [number, number] => {
    let best = { range: at(1), error: Infinity };
    for (let step = 0; step <= STEPS; step++) {
      const range = at(1 - ((1 - LEAST_SHARE) * step) / STEPS);
      const error = histogram.squaredError(scaleFor(...range), lower, upper);
      if (error < best.error) best = { range, error };
    }
    return best.range;
  };
  const rounds = low < 0 && high > 0 ? 2 : 1;
  for (let round = 0; round < rounds; round++) {
    if (whole[1] > 0) [low, high] = search((share) => [low, whole[1] * share]);
    if (whole[0] < 0) [low, high] = search((share) => [whole[0] * share, high]);
  }
  return scaleFor(low, high);
}
