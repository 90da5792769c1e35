import type { Widths } from './widths.js';

/** One group's choices: widths it may have, widest first, and what each loses. */
export interface Choices {
  readonly widths: readonly number[];
  /** Loss at each of `widths`; 0 at the first, never falling. */
  readonly losses: readonly number[];
}

/** Widths, what they are expected to lose, and what they cost. */
export interface Allocation {
  readonly widths: number[];
  readonly loss: number;
  readonly cost: number;
}

/** Combinations up to which every one is tried. */
const EXHAUSTIVE = 20_000;

/** Most levels that one move takes a group down or up. */
const MOVE_STEPS = 4;

/** Evaluations of the cost that a search may take by default. */
const EVALUATIONS = 400_000;

/**
 * Widths of least total loss whose cost keeps the target. Losses add up over groups; the cost may be
 * any function of the widths that does not rise when one falls. Small spaces are searched whole.
 * Otherwise moves of least loss per cost lead to the target; then, group by group, a level is forced
 * and the others are repaired around it, narrowed until the target holds and widened into what room
 * is left, for as long as that lowers the loss.
 * @param evaluations most calls of `cost`, for costs that are dear
 * @returns the allocation at the target, or the cheapest there is when none reaches it
 */
export function allocate(
  groups: readonly Choices[],
  cost: (widths: Widths) => number,
  target: number,
  evaluations = EVALUATIONS,
): Allocation {
  const combinations = groups.reduce((product, { widths }) => product * widths.length, 1);
  const search = new Search(groups, cost, target, evaluations);
  return combinations <= Math.min(EXHAUSTIVE, evaluations) ? search.exhaustive() : search.local();
}

type Levels = readonly number[];

class Search {
  private spent = 0;

  constructor(
    private readonly groups: readonly Choices[],
    private readonly cost: (widths: Widths) => number,
    private readonly target: number,
    private readonly evaluations: number,
  ) {}

  exhaustive(): Allocation {
    let levels = this.groups.map(() => 0);
    let best: Allocation | undefined;
    let cheapest: Allocation | undefined;
    for (;;) {
      const here = this.allocation(levels);
      if (here.cost <= this.target && (!best || here.loss < best.loss)) best = here;
      if (!cheapest || here.cost < cheapest.cost) cheapest = here;
      const next = levels.findIndex((level, g) => level + 1 < this.count(g));
      if (next < 0) return best ?? cheapest;
      levels = levels.map((level, g) => (g < next ? 0 : g === next ? level + 1 : level));
    }
  }

  local(): Allocation {
    let levels = this.widen(this.narrow(this.groups.map(() => 0)));
    let best = this.allocation(levels);
    if (best.cost > this.target) return best;
    for (let improved = true; improved && !this.exhausted();) {
      improved = false;
      for (let g = 0; g < this.groups.length; g++) {
        for (let step = -MOVE_STEPS; step <= MOVE_STEPS && !this.exhausted(); step++) {
          const forced = (levels[g] ?? 0) + step;
          if (step === 0 || forced < 0 || forced >= this.count(g)) continue;
          const start = levels.map((level, i) => (i === g ? forced : level));
          const moved = this.widen(this.narrow(start, g), g);
          if (this.loss(moved) >= best.loss - 1e-12) continue;
          const trial = this.allocation(moved);
          if (trial.cost <= this.target) [best, levels, improved] = [trial, moved, true];
        }
      }
    }
    return best;
  }

  /** Down to the target, by the moves that lose least for what they save. */
  private narrow(start: Levels, fixed = -1): Levels {
    let levels = start;
    let now = this.costOf(levels);
    while (now > this.target) {
      let best: { levels: Levels; cost: number; ratio: number } | undefined;
      for (let g = 0; g < this.groups.length; g++) {
        if (g === fixed) continue;
        for (let step = 1; step <= MOVE_STEPS && (levels[g] ?? 0) + step < this.count(g); step++) {
          const moved = levels.map((level, i) => (i === g ? level + step : level));
          const after = this.costOf(moved);
          if (after >= now) continue;
          const ratio = (this.loss(moved) - this.loss(levels)) / (now - after);
          if (!best || ratio < best.ratio) best = { levels: moved, cost: after, ratio };
        }
      }
      if (!best) return levels;
      [levels, now] = [best.levels, best.cost];
    }
    return levels;
  }

  /** Up into the room that is left, by the moves that win most. */
  private widen(start: Levels, fixed = -1): Levels {
    let levels = start;
    for (;;) {
      let best: { levels: Levels; loss: number } | undefined;
      for (let g = 0; g < this.groups.length; g++) {
        if (g === fixed) continue;
        for (let step = 1; step <= MOVE_STEPS && (levels[g] ?? 0) - step >= 0; step++) {
          const moved = levels.map((level, i) => (i === g ? level - step : level));
          const loss = this.loss(moved);
          if (loss >= (best?.loss ?? this.loss(levels))) continue;
          if (this.costOf(moved) > this.target) break;
          best = { levels: moved, loss };
        }
      }
      if (!best) return levels;
      levels = best.levels;
    }
  }

  private exhausted(): boolean {
    return this.spent >= this.evaluations;
  }

  private count(g: number): number {
    return this.groups[g]?.widths.length ?? 1;
  }

  private costOf(levels: Levels): number {
    this.spent++;
    return this.cost(this.widths(levels));
  }

  private widths(levels: Levels): number[] {
    return this.groups.map(({ widths }, g) => widths[levels[g] ?? 0] ?? 1);
  }

  private loss(levels: Levels): number {
    return this.groups.reduce((sum, { losses }, g) => sum + (losses[levels[g] ?? 0] ?? 0), 0);
  }

  private allocation(levels: Levels): Allocation {
    const widths = this.widths(levels);
    return { widths, loss: this.loss(levels), cost: this.cost(widths) };
  }
}
