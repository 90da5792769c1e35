/** Median and the interquartile range over it. */
export interface Spread {
  readonly median: number;
  readonly spread: number;
}

/** Median and relative interquartile range of at least one sample; neither is ever negative. */
export function medianAndSpread(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const median = Math.max(0, quantile(sorted, 0.5));
  const range = quantile(sorted, 0.75) - quantile(sorted, 0.25);
  return { median, spread: median > 0 ? range / median : 0 };
}

function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? 0;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (high - low) * (at - Math.floor(at));
}
