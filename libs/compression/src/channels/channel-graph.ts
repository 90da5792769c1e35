import { graphOf, inferShapes, type Model } from '@espalier/onnx';
import type { LinearLayer, ParameterSite, Rewrite } from './labels.js';
import { describe, Propagation } from './propagation.js';
import { RULES } from './rules/index.js';

/** Channels that are cut together: positions of the group's first producer. */
export interface Unit {
  /** The id that stands for all of the unit's ids. */
  readonly root: number;
  readonly positions: readonly number[];
}

/** The channels of one producer, and all that is coupled to them. */
export interface ChannelGroup {
  /** The first producer's output tensor. */
  readonly name: string;
  /** Channels of that tensor. */
  readonly of: number;
  /** Units that can be cut. */
  readonly units: readonly Unit[];
  /** Reasons why other channels of this producer must stay, with how many. */
  readonly locked: readonly { readonly reason: string; readonly channels: number }[];
}

/** Which channels of a model are cut together, and what a cut touches. */
export interface ChannelGraph {
  readonly model: Model;
  readonly groups: readonly ChannelGroup[];
  readonly layers: readonly LinearLayer[];
  readonly sites: readonly ParameterSite[];
  readonly rewrites: readonly Rewrite[];
  /** Ids along the channel axis of each tensor that has them. */
  readonly labels: ReadonlyMap<string, { readonly axis: number; readonly ids: Int32Array }>;
  /** The id that stands for the unit of `id`. */
  readonly rootOf: (id: number) => number;
}

/** Batch that shapes are inferred at; a prime, so that it is not taken for a channel count. */
const PROBE_BATCH = 7;

/**
 * Follows every channel through the graph once and joins what must be cut together: an id for each
 * position of each producer's channel axis, union-find over the whole graph. Operators without a
 * rule, graph outputs and captures by subgraphs lock what they touch, with the reason named.
 * @param model a model whose Constant nodes are folded into initialisers
 */
export function buildChannelGraph(model: Model): ChannelGraph {
  const graph = graphOf(model);
  const p = new Propagation(graph, inferShapes(model, { batch: PROBE_BATCH }));
  for (const node of graph.nodes) {
    const rule = node.domain === '' && !node.hasSubgraph ? RULES.get(node.op) : undefined;
    if (rule) rule(node, p);
    else p.lockInputs(node, `${describe(node)} has no rule for cutting channels`);
  }
  for (const [tensor, labels] of p.labels) {
    if (graph.isOutput(tensor)) p.lockIds(labels.ids, `"${tensor}" is an output of the model`);
    if (graph.usedInSubgraph(tensor))
      p.lockIds(labels.ids, `"${tensor}" is read inside a subgraph`);
  }
  p.lockSharedParameters();
  return {
    model,
    groups: groupsOf(p),
    layers: p.layers,
    sites: p.sites,
    rewrites: p.rewrites,
    labels: p.labels,
    rootOf: (id) => p.sets.find(id),
  };
}

function groupsOf(p: Propagation): ChannelGroup[] {
  const groups = new Map<
    string,
    { of: number; units: Map<number, number[]>; locked: Map<string, number> }
  >();
  p.origins.forEach((origin, id) => {
    const root = p.sets.find(id);
    const first = p.origins[root];
    if (!first || first.tensor !== origin.tensor) return;
    let group = groups.get(origin.tensor);
    if (!group) groups.set(origin.tensor, (group = { of: 0, units: new Map(), locked: new Map() }));
    group.of = Math.max(group.of, p.labels.get(origin.tensor)?.ids.length ?? origin.position + 1);
    const reason = p.sets.lockReason(root);
    if (reason !== undefined) group.locked.set(reason, (group.locked.get(reason) ?? 0) + 1);
    else {
      const positions = group.units.get(root);
      if (positions) positions.push(origin.position);
      else group.units.set(root, [origin.position]);
    }
  });
  return [...groups].map(([name, { of, units, locked }]) => ({
    name,
    of,
    units: [...units].map(([root, positions]) => ({ root, positions })),
    locked: [...locked].map(([reason, channels]) => ({ reason, channels })),
  }));
}

/** Vectors of ids that a cut may thin but not empty: each part of a Split, Slice or Gather, each constant's axis. */
export function partsToKeep({ rewrites, sites }: ChannelGraph): Int32Array[] {
  const parts = rewrites.flatMap((rewrite) => {
    if (rewrite.kind === 'split') return [...rewrite.parts];
    if (rewrite.kind === 'slice') return [rewrite.ids.subarray(rewrite.start, rewrite.end)];
    return rewrite.kind === 'gather' ? [rewrite.picked] : [];
  });
  return [...parts, ...sites.map(({ ids }) => ids)];
}
