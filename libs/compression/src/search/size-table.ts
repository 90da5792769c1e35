import { countModel, graphOf, type Model } from '@espalier/onnx';
import type { ChannelGraph } from '../channels/channel-graph.js';
import type { OrderedGroup } from '../structure/order-units.js';
import { denseWidths, type Space, type Widths } from './widths.js';

/** Exact multiply-accumulates and parameters for any widths, without building the model. */
export interface SizeTable {
  macs(widths: Widths): number;
  params(widths: Widths): number;
}

interface AxisCount {
  readonly fixed: number;
  readonly whole: number;
  /** For each group that has positions on the axis: positions kept by units kept. */
  readonly groups: readonly { readonly group: number; readonly kept: Int32Array }[];
}

/** A constant: its elements, the dimensions of the widths that drop it, and its axes. */
interface Parameter {
  readonly elements: number;
  readonly blocks: readonly number[];
  readonly axes: AxisCount[];
}

/**
 * Counts each constant's axes once: the positions that stay are a sum over groups of a table by
 * width, so the cost of a layer is the product over its axes. What a dropped block alone reads counts
 * nothing.
 */
export function sizeTable(space: Space): SizeTable {
  const { channels, groups, blocks } = space;
  const graph = graphOf(channels.model);
  const blocksOf = (tensor: string): number[] =>
    blocks.flatMap(({ nodes }, b) =>
      graph.consumers(tensor).every((node) => nodes.has(node)) ? [groups.length + b] : [],
    );
  const rankOf = new Map<number, { group: number; rank: number }>();
  groups.forEach(({ roots }, group) => {
    roots.forEach((root, rank) => rankOf.set(root, { group, rank }));
  });
  const count = (ids: Int32Array): AxisCount => countAxis(ids, channels, groups, rankOf);
  const tensors = new Map<string, Parameter>();
  for (const site of channels.sites) {
    const dims = graph.constant(site.tensor)?.dims ?? [];
    const entry = tensors.get(site.tensor) ?? {
      elements: dims.reduce((a, b) => a * b, 1),
      blocks: blocksOf(site.tensor),
      axes: [],
    };
    entry.axes.push(count(site.ids));
    tensors.set(site.tensor, entry);
  }
  const elementsAt = ({ elements, axes, blocks: within }: Parameter, widths: Widths): number =>
    within.some((b) => widths[b] === 0)
      ? 0
      : axes.reduce((product, axis) => (product / axis.whole) * keptOn(axis, widths), elements);
  const weights = channels.layers.flatMap((layer) => {
    const tensor = tensors.get(layer.weight);
    return tensor ? [{ tensor, positions: layer.positions }] : [];
  });
  const whole = denseWidths(space);
  const macsOf = (widths: Widths): number =>
    weights.reduce((sum, { tensor, positions }) => sum + positions * elementsAt(tensor, widths), 0);
  const paramsOf = (widths: Widths): number => {
    let sum = 0;
    for (const tensor of tensors.values()) sum += elementsAt(tensor, widths);
    return sum;
  };
  const { macs, params } = countModel(channels.model as Model);
  const [restMacs, restParams] = [macs - macsOf(whole), params - paramsOf(whole)];
  return {
    macs: (widths) => restMacs + macsOf(widths),
    params: (widths) => restParams + paramsOf(widths),
  };
}

function keptOn(axis: AxisCount, widths: Widths): number {
  return axis.groups.reduce(
    (sum, { group, kept }) => sum + (kept[widths[group] ?? 0] ?? 0),
    axis.fixed,
  );
}

function countAxis(
  ids: Int32Array,
  channels: ChannelGraph,
  groups: readonly OrderedGroup[],
  rankOf: ReadonlyMap<number, { group: number; rank: number }>,
): AxisCount {
  const byGroup = new Map<number, Int32Array>();
  let fixed = 0;
  for (const id of ids) {
    const at = rankOf.get(channels.rootOf(id));
    if (!at) {
      fixed++;
      continue;
    }
    const units = groups[at.group]?.roots.length ?? 0;
    let kept = byGroup.get(at.group);
    if (!kept) byGroup.set(at.group, (kept = new Int32Array(units + 1)));
    for (let width = units - at.rank; width <= units; width++)
      kept[width] = (kept[width] as number) + 1;
  }
  return {
    fixed,
    whole: ids.length,
    groups: [...byGroup].map(([group, kept]) => ({ group, kept })),
  };
}
