/** Values of one device, as sums. */
export interface Cluster {
  readonly count: number;
  readonly sum: number;
  readonly squares: number;
}

export interface ClusteredMean {
  readonly mean: number;
  readonly variance: number;
  readonly count: number;
  readonly clusters: number;
}

/** Of a normal distribution, 95 % within. */
const Z95 = 1.959964;

/**
 * Mean over all values of some devices, its variance by devices: values of one device count as
 * correlated by at least `correlation`, more where the devices' spread says so. Null without values.
 * As `estimateLevel`, for values that are no shares.
 */
export function clusteredMean(
  clusters: readonly Cluster[],
  correlation: number,
): ClusteredMean | null {
  const seen = clusters.filter(({ count }) => count > 0);
  const count = seen.reduce((total, one) => total + one.count, 0);
  if (count === 0) return null;
  const mean = seen.reduce((total, { sum }) => total + sum, 0) / count;
  const single = Math.max(
    0,
    seen.reduce((total, one) => total + one.squares, 0) / count - mean ** 2,
  );
  const squares = seen.reduce((total, one) => total + one.count ** 2, 0);
  const assumed = (single * (count + correlation * (squares - count))) / count ** 2;
  const found =
    seen.length > 1
      ? (seen.reduce((total, one) => total + (one.sum - one.count * mean) ** 2, 0) *
          (seen.length / (seen.length - 1))) /
        count ** 2
      : 0;
  return { mean, variance: Math.max(assumed, found), count, clusters: seen.length };
}

/** 95 % interval of a mean of values that are not negative. */
export function meanInterval({ mean, variance }: ClusteredMean): [number, number] {
  const half = Z95 * Math.sqrt(variance);
  return [Math.max(0, mean - half), mean + half];
}

/**
 * 95 % interval of a share whose variance is known (Wilson's score, of as many independent trials as
 * would have that variance).
 */
export function shareInterval(level: number, variance: number, trials: number): [number, number] {
  const safe = (level * trials + 1) / (trials + 2);
  const effective = Math.min(trials, variance > 0 ? (safe * (1 - safe)) / variance : trials);
  const z2 = Z95 ** 2 / effective;
  const centre = (level + z2 / 2) / (1 + z2);
  const half = (Math.sqrt(z2) * Math.sqrt(level * (1 - level) + z2 / 4)) / (1 + z2);
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}
