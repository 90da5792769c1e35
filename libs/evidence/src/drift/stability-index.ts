import type { WindowSketch } from '../sketch/window-sketch.js';
import { countIn, partitionsOf, type Family } from './families.js';

/** Half a count in each part, so that an empty one has a share. */
const SMOOTHING = 0.5;

/**
 * Population stability index of a family: Σ (p - q) ln(p / q) between the reference's shares and a
 * sketch's, the largest of its histograms. Of independent items without drift it is about
 * (parts - 1) (1/n + 1/m) (Yurdakul and Naranjo 2020, "Statistical properties of the population
 * stability index"); of items in runs it is as many times that as items count as one. Commonly 0.1 is
 * called a small and 0.25 a large shift. Null when either has counted nothing.
 */
export function stabilityIndex(
  family: Family,
  reference: WindowSketch,
  sketch: WindowSketch,
): number | null {
  let most: number | null = null;
  for (const partition of partitionsOf(family, reference)) {
    const counts = partition
      .map((event) => ({ before: countIn(reference, event), now: countIn(sketch, event) }))
      .filter(({ before, now }) => before.hits + now.hits > 0);
    if (!counts.some(({ now }) => now.of > 0)) continue;
    const share = ({ hits, of }: { hits: number; of: number }): number =>
      (hits + SMOOTHING) / (of + SMOOTHING * counts.length);
    const index = counts.reduce((sum, { before, now }) => {
      const [p, q] = [share(before), share(now)];
      return sum + (q - p) * Math.log(q / p);
    }, 0);
    most = Math.max(most ?? 0, index);
  }
  return most;
}
