import type { RemovedUnits } from '../channels/cut.js';
import type { OrderedGroup } from '../structure/order-units.js';

/** Units that each group keeps, in the order of the groups. */
export type Widths = readonly number[];

/** The units that go, for given widths: the head of each group's order. */
export function removedAt(groups: readonly OrderedGroup[], widths: Widths): RemovedUnits {
  const removed = new Set<number>();
  groups.forEach(({ roots }, g) => {
    const goes = roots.length - (widths[g] ?? roots.length);
    for (let i = 0; i < goes; i++) removed.add(roots[i] as number);
  });
  return removed;
}

/** All units kept. */
export function denseWidths(groups: readonly OrderedGroup[]): number[] {
  return groups.map(({ roots }) => roots.length);
}

/**
 * Widths that the search may choose, widest first: all, then multiples of `step` down to an eighth.
 * @param step channels; small groups get finer steps, so that each has at least eight to choose from
 */
export function allowedWidths(group: OrderedGroup, step: number): number[] {
  const units = group.roots.length;
  const perUnit = Math.max(1, Math.round(group.group.of / Math.max(units, 1)));
  const stride = Math.max(1, Math.min(Math.floor(step / perUnit), Math.floor(units / 8)));
  const floor = Math.max(group.least, Math.ceil(units / 8));
  const widths = [units];
  for (let w = Math.floor((units - 1) / stride) * stride; w >= floor; w -= stride) widths.push(w);
  return widths;
}
