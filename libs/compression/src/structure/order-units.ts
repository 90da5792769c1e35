import { graphOf, toFloat32 } from '@espalier/onnx';
import { type ChannelGraph, type ChannelGroup, partsToKeep } from '../channels/channel-graph.js';
import type { DenseLayer } from '../statistics/dense.js';
import { weightMatrices } from './layer-weights.js';
import type { ObsReader } from './obs-state.js';
import { removalOrder, swapUnits } from './obs.js';

/** The units of a group in the order in which they go. */
export interface OrderedGroup {
  readonly group: ChannelGroup;
  /** Roots of the units, first to go first; any tail of it is the set that stays. */
  readonly roots: readonly number[];
  /** Units at the tail that every width keeps, so that no part of the group is emptied. */
  readonly least: number;
}

/** Unknowns beyond which exact OBS gives way to a single ranking. */
const EXACT_COLUMNS = 1536;

/**
 * Orders the units of a group by what the layers that read them lose, each layer's loss taken over
 * its own output's energy.
 */
export function orderUnits(
  channels: ChannelGraph,
  group: ChannelGroup,
  dense: ReadonlyMap<string, DenseLayer>,
): OrderedGroup {
  const readers = readersOf(channels, group, dense);
  const exact = exactReaders(readers);
  const order =
    readers.length === 0
      ? group.units.map((_, i) => i)
      : exact.length === readers.length
        ? removalOrder(group.units.length, exact).order
        : rankOnce(group.units.length, readers);
  const roots = order.flatMap((u) => group.units[u]?.root ?? []);
  const pinned = lastOfEachPart(channels, roots);
  return {
    group,
    roots: [
      ...roots.filter((root) => !pinned.has(root)),
      ...roots.filter((root) => pinned.has(root)),
    ],
    least: Math.max(1, pinned.size),
  };
}

/**
 * The group with other units at the head of its order for one width: those whose removal, together,
 * costs the readers least as far as exchanges find.
 * @param width units kept
 */
export function swapAtWidth(
  channels: ChannelGraph,
  ordered: OrderedGroup,
  width: number,
  dense: ReadonlyMap<string, DenseLayer>,
): OrderedGroup {
  const { group, roots, least } = ordered;
  const readers = readersOf(channels, group, dense);
  const exact = exactReaders(readers);
  const gone = roots.length - width;
  if (gone <= 0 || exact.length < readers.length) return ordered;
  const unitAt = new Map(group.units.map(({ root }, u) => [root, u]));
  const units = roots.map((root) => unitAt.get(root) ?? 0);
  const pinned = new Set(units.slice(units.length - least));
  const removed = swapUnits(exact, units.slice(0, gone), units.slice(gone), pinned);
  const out = new Set(removed);
  const order = [...removed, ...units.slice(0, -least).filter((u) => !out.has(u)), ...pinned];
  return { group, roots: order.flatMap((u) => group.units[u]?.root ?? []), least };
}

/** A layer, or group of one, that reads units of a group. */
interface Reader extends Omit<ObsReader, 'xx'> {
  /** None where the layer is too wide for it. */
  readonly xx: ObsReader['xx'] | undefined;
  /** Sum of squares of each column. */
  readonly energies: Float64Array;
}

/** Those that OBS can take whole. */
function exactReaders(readers: readonly Reader[]): ObsReader[] {
  return readers.flatMap(({ xx, ...reader }) =>
    xx && xx.rows <= EXACT_COLUMNS ? [{ ...reader, xx }] : [],
  );
}

/** The layers, and groups of layers, that read units of a group. */
function readersOf(
  channels: ChannelGraph,
  group: ChannelGroup,
  dense: ReadonlyMap<string, DenseLayer>,
): Reader[] {
  const unitOf = new Map(group.units.map(({ root }, u) => [root, u]));
  const graph = graphOf(channels.model);
  return channels.layers.flatMap((layer) => {
    const ids = layer.inputIds;
    const statistics = dense.get(layer.output);
    const weight = graph.constant(layer.weight);
    if (!ids || !statistics || !weight) return [];
    const units = Array.from(ids, (id) => unitOf.get(channels.rootOf(id)));
    if (units.every((u) => u === undefined)) return [];
    const taps = statistics.reader.columns / ids.length;
    const columns = group.units.map((): number[] => []);
    units.forEach((u, position) => {
      if (u === undefined) return;
      for (let t = 0; t < taps; t++) columns[u]?.push(position * taps + t);
    });
    const matrices = weightMatrices(layer, weight.dims, toFloat32(weight), layer.group);
    return matrices.flatMap((matrix, g) => {
      const xx = statistics.inputs[g]?.xx;
      const energies = xx
        ? Float64Array.from({ length: xx.cols }, (_, c) => xx.data[c * xx.cols + c] as number)
        : statistics.energies[g];
      return energies ? [{ weight: matrix, xx, energies, columns, share: 1 / layer.group }] : [];
    });
  });
}

/** For very wide layers: the energy that each unit alone carries into its readers' outputs. */
function rankOnce(units: number, readers: readonly Reader[]): number[] {
  const energy = new Float64Array(units);
  for (const { weight, energies, columns, share } of readers) {
    const own = columns.map((list) => {
      let sum = 0;
      for (const c of list) {
        let squares = 0;
        for (let o = 0; o < weight.rows; o++)
          squares += (weight.data[o * weight.cols + c] as number) ** 2;
        sum += squares * (energies[c] as number);
      }
      return sum;
    });
    const total = own.reduce((a, b) => a + b, 0) || 1;
    own.forEach((value, u) => (energy[u] = (energy[u] as number) + (share * value) / total));
  }
  return Array.from({ length: units }, (_, u) => u).sort(
    (a, b) => (energy[a] as number) - (energy[b] as number),
  );
}

/** The unit of each part that would go last. */
function lastOfEachPart(channels: ChannelGraph, roots: readonly number[]): Set<number> {
  const rank = new Map(roots.map((root, at) => [root, at]));
  const pinned = new Set<number>();
  for (const part of partsToKeep(channels)) {
    const units = Array.from(part, (id) => channels.rootOf(id));
    if (!units.every((root) => rank.has(root))) continue;
    const last = units.reduce(
      (a, b) => ((rank.get(b) ?? 0) > (rank.get(a) ?? 0) ? b : a),
      units[0] ?? 0,
    );
    pinned.add(last);
  }
  return pinned;
}
