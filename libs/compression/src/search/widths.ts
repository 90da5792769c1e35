import type { Model } from '@espalier/onnx';
import type { ChannelGraph } from '../channels/channel-graph.js';
import { cutChannels, type RemovedUnits } from '../channels/cut.js';
import { dropBlocks, type ResidualBlock } from '../channels/residual-blocks.js';
import type { OrderedGroup } from '../structure/order-units.js';

/** What a search chooses over. */
export interface Space {
  readonly channels: ChannelGraph;
  readonly groups: readonly OrderedGroup[];
  readonly blocks: readonly ResidualBlock[];
}

/** Units that each group keeps, in the order of the groups; then, for each block, 1 to keep it or 0. */
export type Widths = readonly number[];

/** The units that go, for given widths: the head of each group's order. */
export function removedAt({ groups }: Pick<Space, 'groups'>, widths: Widths): RemovedUnits {
  const removed = new Set<number>();
  groups.forEach(({ roots }, g) => {
    const goes = roots.length - (widths[g] ?? roots.length);
    for (let i = 0; i < goes; i++) removed.add(roots[i] as number);
  });
  return removed;
}

/** The blocks that go. */
export function droppedAt({ groups, blocks }: Space, widths: Widths): ResidualBlock[] {
  return blocks.filter((_, b) => widths[groups.length + b] === 0);
}

/** The model cut to given widths, before any fit. */
export function modelAt(space: Space, widths: Widths): Model {
  const cut = cutChannels(space.channels, removedAt(space, widths));
  return dropBlocks(cut, droppedAt(space, widths));
}

/** All units and blocks kept. */
export function denseWidths({ groups, blocks }: Space): number[] {
  return [...groups.map(({ roots }) => roots.length), ...blocks.map(() => 1)];
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

/** Share of the latency that a narrower width must save to be a step of its own. */
const LEAST_STEP = 1e-3;

/**
 * The widths worth having on a target: the widest first, then each that is faster than every wider
 * one. Runtimes pad channels to blocks, so that many widths cost what the next block does.
 * @param widths widest first
 * @param latency milliseconds at a width
 */
export function latencySteps(
  widths: readonly number[],
  latency: (width: number) => number,
): number[] {
  let fastest = Infinity;
  return widths.filter((width) => {
    const ms = latency(width);
    if (ms > fastest * (1 - LEAST_STEP)) return false;
    fastest = ms;
    return true;
  });
}
