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

/** Swap rounds; each tries every pair of groups once. */
const SWAP_ROUNDS = 24;

/** Steps a single move may take down a group's list. */
const MOVE_STEPS = 3;

/**
 * Widths of least total loss whose cost keeps the target. Losses add up over groups; the cost may be
 * any function of the widths that does not rise when one falls. Small spaces are searched whole;
 * otherwise moves of least loss per cost lead to the target, then pairs of groups trade width.
 * @returns the allocation at the target, or the cheapest there is when none reaches it
 */
export function allocate(
  groups: readonly Choices[],
  cost: (widths: Widths) => number,
  target: number,
): Allocation {
  const combinations = groups.reduce((product, { widths }) => product * widths.length, 1);
  if (combinations <= EXHAUSTIVE) return exhaustive(groups, cost, target);
  return swapPairs(groups, descend(groups, cost, target), cost, target);
}

const widthsOf = (groups: readonly Choices[], levels: readonly number[]): number[] =>
  groups.map(({ widths }, g) => widths[levels[g] ?? 0] ?? 0);

const lossOf = (groups: readonly Choices[], levels: readonly number[]): number =>
  groups.reduce((sum, { losses }, g) => sum + (losses[levels[g] ?? 0] ?? 0), 0);

function allocation(
  groups: readonly Choices[],
  levels: readonly number[],
  cost: (w: Widths) => number,
): Allocation {
  const widths = widthsOf(groups, levels);
  return { widths, loss: lossOf(groups, levels), cost: cost(widths) };
}

function exhaustive(
  groups: readonly Choices[],
  cost: (w: Widths) => number,
  target: number,
): Allocation {
  const levels = groups.map(() => 0);
  let best: Allocation | undefined;
  let cheapest: Allocation | undefined;
  for (;;) {
    const here = allocation(groups, levels, cost);
    if (here.cost <= target && (!best || here.loss < best.loss)) best = here;
    if (!cheapest || here.cost < cheapest.cost) cheapest = here;
    let g = 0;
    while (g < groups.length && (levels[g] ?? 0) + 1 >= (groups[g]?.widths.length ?? 1))
      levels[g++] = 0;
    if (g >= groups.length) return best ?? cheapest;
    levels[g] = (levels[g] ?? 0) + 1;
  }
}

/** From all widths down, by the move that loses least for what it saves. */
function descend(
  groups: readonly Choices[],
  cost: (w: Widths) => number,
  target: number,
): number[] {
  const levels = groups.map(() => 0);
  let now = cost(widthsOf(groups, levels));
  while (now > target) {
    let best: { group: number; level: number; cost: number; ratio: number } | undefined;
    for (let g = 0; g < groups.length; g++) {
      const level = levels[g] ?? 0;
      const { losses = [] } = groups[g] ?? {};
      for (let step = 1; step <= MOVE_STEPS && level + step < losses.length; step++) {
        const moved = levels.map((l, i) => (i === g ? l + step : l));
        const after = cost(widthsOf(groups, moved));
        const saved = now - after;
        if (saved <= 0) continue;
        const ratio = ((losses[level + step] ?? 0) - (losses[level] ?? 0)) / saved;
        if (!best || ratio < best.ratio)
          best = { group: g, level: level + step, cost: after, ratio };
      }
    }
    if (!best) return levels;
    levels[best.group] = best.level;
    now = best.cost;
  }
  return levels;
}

/** One group gives width, another takes it, while that lowers the loss and keeps the target. */
function swapPairs(
  groups: readonly Choices[],
  start: number[],
  cost: (w: Widths) => number,
  target: number,
): Allocation {
  let levels = start;
  let best = allocation(groups, levels, cost);
  for (let round = 0; round < SWAP_ROUNDS; round++) {
    let improved = false;
    for (const [taker, giver] of pairs(groups.length)) {
      for (const moved of trades(groups, levels, taker, giver)) {
        if (lossOf(groups, moved) >= best.loss - 1e-12) continue;
        const trial = allocation(groups, moved, cost);
        if (trial.cost > target) continue;
        [best, levels, improved] = [trial, moved, true];
        break;
      }
    }
    if (!improved) break;
  }
  return best;
}

/** Every ordered pair of groups, and each group with itself: it then takes and nobody gives. */
function pairs(count: number): [number, number][] {
  const all = Array.from({ length: count }, (_, i) => i);
  return all.flatMap((taker) => all.map((giver): [number, number] => [taker, giver]));
}

/** Levels after the taker widens by one or two and the giver, if another, narrows by one to three. */
function trades(
  groups: readonly Choices[],
  levels: readonly number[],
  taker: number,
  giver: number,
): number[][] {
  const out: number[][] = [];
  for (let take = 1; take <= 2 && (levels[taker] ?? 0) - take >= 0; take++) {
    for (let give = 1; give <= MOVE_STEPS; give++) {
      const moved = levels.map((l, g) => (g === taker ? l - take : g === giver ? l + give : l));
      if ((moved[giver] ?? 0) >= (groups[giver]?.widths.length ?? 0)) break;
      out.push(moved);
    }
  }
  return out;
}
