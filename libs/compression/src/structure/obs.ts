import {
  type ObsReader,
  openReader,
  removeUnit,
  restoreUnit,
  returnGain,
  unitCost,
} from './obs-state.js';

/** Units in the order in which they go, and the error after each. */
export interface RemovalOrder {
  /** Indices into the units, first to go first. */
  readonly order: readonly number[];
  /** Sum over readers of the squared error over the output's energy after `i + 1` removals. */
  readonly errors: readonly number[];
}

/**
 * Block Optimal Brain Surgeon: removes, one after another, the unit whose columns cost the readers
 * least when the other columns make up for it, tr(W_u [(H⁻¹)_uu]⁻¹ W_uᵀ), and updates weights and
 * inverse Gram. The order is nested: every width comes from one pass.
 * (Hassibi and Stork 1993; blocks after Kurtic and others, ZipLM, arXiv 2302.04089.)
 */
export function removalOrder(units: number, readers: readonly ObsReader[]): RemovalOrder {
  const states = readers.map(openReader);
  const left = new Set(Array.from({ length: units }, (_, u) => u));
  const order: number[] = [];
  const errors: number[] = [];
  let total = 0;
  while (left.size > 1) {
    let best = -1;
    let least = Infinity;
    for (const unit of left) {
      let cost = 0;
      for (const state of states) cost += unitCost(state, unit);
      if (cost < least) [best, least] = [unit, cost];
    }
    if (best < 0) break;
    left.delete(best);
    order.push(best);
    total += Math.max(least, 0);
    errors.push(total);
    for (const state of states) removeUnit(state, best);
  }
  order.push(...left);
  errors.push(Math.max(total, 1));
  return { order, errors };
}

/** Most exchanges at one width. */
const MOST_SWAPS = 8;

/** Share of the error below which an exchange is not worth its time. */
const LEAST_GAIN = 1e-4;

/**
 * Exchanges removed units for kept ones at one width while that lowers the readers' error: the unit
 * that explains most of the error comes back, and the one that is now cheapest goes. One greedy order
 * cannot undo an early removal that later ones made a mistake. (Local swaps as in OSSCAR,
 * arXiv 2403.12983, on block OBS.)
 * @param removed units that went, in the order in which they did
 * @param kept units that stay
 * @param pinned units that must not go
 * @returns the units to remove instead, as many
 */
export function swapUnits(
  readers: readonly ObsReader[],
  removed: readonly number[],
  kept: readonly number[],
  pinned: ReadonlySet<number>,
): number[] {
  const states = readers.map(openReader);
  const total = (of: (state: (typeof states)[number]) => number): number =>
    states.reduce((sum, state) => sum + of(state), 0);
  let error = 0;
  for (const unit of removed) {
    error += total((state) => unitCost(state, unit));
    for (const state of states) removeUnit(state, unit);
  }
  const [out, stay] = [new Set(removed), new Set(kept)];
  const extreme = (units: Iterable<number>, worth: (unit: number) => number): [number, number] => {
    let best: [number, number] = [-1, -Infinity];
    for (const unit of units) {
      const value = worth(unit);
      if (value > best[1]) best = [unit, value];
    }
    return best;
  };
  for (let swap = 0; swap < MOST_SWAPS && out.size > 0; swap++) {
    const [back, gain] = extreme(out, (unit) => total((state) => returnGain(state, unit)));
    for (const state of states) restoreUnit(state, back);
    out.delete(back);
    stay.add(back);
    const [goes, cost] = extreme(
      [...stay].filter((unit) => !pinned.has(unit)),
      (unit) => -total((state) => unitCost(state, unit)),
    );
    const better = gain + cost > LEAST_GAIN * error;
    const chosen = better && goes >= 0 ? goes : back;
    for (const state of states) removeUnit(state, chosen);
    stay.delete(chosen);
    out.add(chosen);
    if (chosen === back) break;
    error -= gain + cost;
  }
  return [...out];
}
