/** A median and how far samples lie apart, over it. */
export interface Spread {
  readonly median: number;
  readonly spread: number;
}

/**
 * The median of the shortest interval that holds half of the samples, which others far off do not
 * move (the shorth; Andrews and others, Robust Estimates of Location, 1972), and the interquartile
 * range over it. At least one sample; neither is ever negative.
 */
export function centreOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const half = Math.ceil((sorted.length + 1) / 2);
  let from = 0;
  let shortest = Infinity;
  for (let at = 0; at + half <= sorted.length; at++) {
    const length = (sorted[at + half - 1] ?? 0) - (sorted[at] ?? 0);
    if (length < shortest) [from, shortest] = [at, length];
  }
  const median = Math.max(0, quantile(sorted.slice(from, from + half), 0.5));
  const range = quantile(sorted, 0.75) - quantile(sorted, 0.25);
  return { median, spread: median > 0 ? range / median : 0 };
}

/** Difference of two centres, and the spread of that. */
export function centreDifference(a: Spread, b: Spread): Spread {
  const median = Math.max(0, a.median - b.median);
  const range = Math.hypot(a.spread * a.median, b.spread * b.median);
  return { median, spread: median > 0 ? range / median : 0 };
}

/** Between the two of sorted values nearest to a share of the way from the least to the most. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? 0;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (high - low) * (at - Math.floor(at));
}
