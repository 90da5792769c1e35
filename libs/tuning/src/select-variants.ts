/** Devices that the same candidates fit: positions in quality order, best first. */
export interface DeviceClass {
  readonly fitting: readonly number[];
  readonly devices: number;
}

/** Rounds of exchanging a chosen variant for another, at most. */
const MOST_EXCHANGES = 64;

/**
 * At most `most` candidates for all classes of devices: as many devices served as can be, then the
 * least sum of quality lost against each class's own best. Greedy, then exchanges while one helps
 * (the objective is submodular, so greedy alone is within 1 - 1/e of the optimum).
 * @param values quality of each candidate, falling
 * @returns positions of the chosen candidates
 */
export function selectVariants(
  classes: readonly DeviceClass[],
  values: readonly number[],
  most: number,
): number[] {
  const problem = new Selection(classes, values);
  const chosen: number[] = [];
  while (chosen.length < Math.min(most, values.length)) {
    const next = problem.bestAddition(chosen);
    if (next === null) break;
    chosen.push(next);
  }
  for (let round = 0; round < MOST_EXCHANGES; round++) {
    if (!problem.exchange(chosen)) break;
  }
  return chosen;
}

class Selection {
  /** What leaving a device unserved costs: more than any sum of losses of one device. */
  private readonly unserved: number;
  private readonly sizes: Float64Array;
  /** Loss of each class (row) with each candidate (column); `unserved` where it does not fit. */
  private readonly losses: Float64Array;

  constructor(
    classes: readonly DeviceClass[],
    private readonly values: readonly number[],
  ) {
    const width = values.length;
    const range = (values[0] ?? 0) - (values.at(-1) ?? 0);
    this.unserved = 1000 * Math.max(range, 1e-6);
    this.sizes = Float64Array.from(classes, ({ devices }) => devices);
    this.losses = new Float64Array(classes.length * width).fill(this.unserved);
    classes.forEach(({ fitting }, row) => {
      const best = values[fitting[0] ?? 0] ?? 0;
      for (const at of fitting) this.losses[row * width + at] = best - (values[at] ?? 0);
    });
  }

  bestAddition(chosen: readonly number[]): number | null {
    const current = this.leastLosses(chosen);
    let best: number | null = null;
    let bestGain = 1e-12;
    for (let at = 0; at < this.values.length; at++) {
      if (chosen.includes(at)) continue;
      const gain = this.gain(current, at);
      if (gain > bestGain) [best, bestGain] = [at, gain];
    }
    return best;
  }

  /** Replaces one chosen candidate by another where that helps most. */
  exchange(chosen: number[]): boolean {
    const total = this.total(this.leastLosses(chosen));
    let best: { slot: number; at: number; total: number } | null = null;
    for (let slot = 0; slot < chosen.length; slot++) {
      const without = this.leastLosses(chosen.filter((_at, other) => other !== slot));
      const rest = this.total(without);
      for (let at = 0; at < this.values.length; at++) {
        if (chosen.includes(at)) continue;
        const exchanged = rest - this.gain(without, at);
        if (exchanged < (best?.total ?? total) - 1e-9) best = { slot, at, total: exchanged };
      }
    }
    if (!best) return false;
    chosen[best.slot] = best.at;
    return true;
  }

  private leastLosses(chosen: readonly number[]): Float64Array {
    const width = this.values.length;
    const least = new Float64Array(this.sizes.length).fill(this.unserved);
    for (const at of chosen) {
      for (let row = 0; row < least.length; row++) {
        least[row] = Math.min(least[row] ?? 0, this.losses[row * width + at] ?? 0);
      }
    }
    return least;
  }

  private gain(current: Float64Array, at: number): number {
    const width = this.values.length;
    let gain = 0;
    for (let row = 0; row < current.length; row++) {
      const less = (current[row] ?? 0) - (this.losses[row * width + at] ?? 0);
      if (less > 0) gain += less * (this.sizes[row] ?? 0);
    }
    return gain;
  }

  private total(least: Float64Array): number {
    return least.reduce((sum, loss, row) => sum + loss * (this.sizes[row] ?? 0), 0);
  }
}
