import { edit, floatTensor, graphOf, type Model, type Node, toFloat32 } from '@espalier/onnx';
import type { ChannelGraph } from '../channels/channel-graph.js';
import { positionsKept, type RemovedUnits } from '../channels/cut.js';
import type { LinearLayer } from '../channels/labels.js';
import type { ResidualBlock } from '../channels/residual-blocks.js';
import type { Matrix } from '../linear-algebra/cholesky.js';
import type { DenseLayer } from '../statistics/dense.js';
import type { GramEngine, Moments } from '../statistics/gram.js';
import { rowReader } from '../statistics/patches.js';
import { type Reading, readRegressions, type Regression } from '../statistics/regression.js';
import type { RowBlock } from '../statistics/row-keeper.js';
import { dimsAtOne } from '../statistics/row-plan.js';
import { FrontierWalk } from '../statistics/frontier.js';
import type { RunSettings } from '../statistics/run.js';
import type { Samples } from '../statistics/samples.js';
import { activationAfter, type Bounds, errorThrough, fitThrough } from './activation-fit.js';
import { packWeights, weightMatrices } from './layer-weights.js';
import { type Affine, chooseStrength, relativeError, ridgeToward } from './ridge.js';
import { fitTiled } from './tiled-fit.js';

/** What a refit reads besides the models. */
export interface RefitContext {
  readonly channels: ChannelGraph;
  readonly dense: ReadonlyMap<string, DenseLayer>;
  readonly samples: Samples;
  /** The samples that `dense` was collected on, in that order. */
  readonly indices: readonly number[];
  /** Places in `indices` to fit on; all by default. */
  readonly places?: readonly number[];
  readonly engine: GramEngine;
  readonly settings: RunSettings;
}

/** How much a layer's error fell on rows that it was not fitted on. */
export interface LayerFit {
  readonly layer: string;
  readonly strength: number;
  readonly errorBefore: number;
  readonly errorAfter: number;
}

/**
 * Refits, in the order of the graph, each layer that reads something other than it did: on the
 * compressed model's own inputs, against the dense model's outputs, the residual shortcut's error
 * included. A fit that does not lower the held-out error is not taken.
 * @param cut the model after the cut
 * @param removed the units that it lacks
 * @param dropped the blocks that it lacks
 */
export async function refitLayers(
  cut: Model,
  removed: RemovedUnits,
  dropped: readonly ResidualBlock[],
  context: RefitContext,
  onLayer?: (done: number, total: number) => void,
): Promise<{ model: Model; fits: LayerFit[] }> {
  const { channels, samples, indices, settings } = context;
  const places = context.places ?? indices.map((_, i) => i);
  const layers = changedLayers(channels, removed, dropped);
  const fits: LayerFit[] = [];
  let model = cut;
  const walk = new FrontierWalk(
    samples,
    places.map((place) => indices[place] ?? 0),
    settings,
  );
  for (const [at, layer] of layers.entries()) {
    const dense = context.dense.get(layer.output);
    if (dense) {
      const done = await refitLayer(model, layer, dense, removed, context, { walk, places });
      model = done.model;
      fits.push(...done.fits);
    }
    onLayer?.(at + 1, layers.length);
  }
  return { model, fits };
}

/** Layers whose input lost channels or changed in value, in the order of the graph. */
export function changedLayers(
  channels: ChannelGraph,
  removed: RemovedUnits,
  dropped: readonly ResidualBlock[],
): LinearLayer[] {
  const gone = new Set(dropped.flatMap(({ nodes }) => [...nodes]));
  const sums = new Set(dropped.map(({ name }) => name));
  const graph = graphOf(channels.model);
  const byNode = new Map<Node, LinearLayer>(channels.layers.map((layer) => [layer.node, layer]));
  const changed = new Set<string>();
  const out: LinearLayer[] = [];
  for (const node of graph.nodes) {
    if (gone.has(node)) continue;
    const layer = byNode.get(node);
    const lost = layer?.inputIds?.some((id) => removed.has(channels.rootOf(id))) ?? false;
    const dropsAddend = node.outputs.some((name) => sums.has(name));
    if (!lost && !dropsAddend && !node.inputs.some((name) => changed.has(name))) continue;
    for (const output of node.outputs) changed.add(output);
    if (layer) out.push(layer);
  }
  return out;
}

async function refitLayer(
  model: Model,
  layer: LinearLayer,
  dense: DenseLayer,
  removed: RemovedUnits,
  context: RefitContext,
  reading: Reading,
): Promise<{ model: Model; fits: LayerFit[] }> {
  const graph = graphOf(model);
  const node = graph.producer(layer.output);
  const weight = graph.constant(node?.inputs[1] ?? '');
  const dims = dimsAtOne(model);
  const group = groupsLeft(layer, removed, context);
  const reader =
    node &&
    weight &&
    rowReader({ ...layer, node, group }, weight.dims, dims(layer.input), dims(layer.output));
  if (!node || !weight || !reader) return { model, fits: [] };
  const kept = positionsKept(layer.outputIds, (id) => !removed.has(context.channels.rootOf(id)));
  const state = { reader, group, kept };
  const regressions = await readRegressions(model, dense, state, reading, context.engine);
  const bounds =
    layer.kind === 'matmul' ? undefined : activationAfter(context.channels.model, dense.target);
  const oldBias = layer.bias === undefined ? undefined : graph.constant(node.inputs[2] ?? '');
  const bias = new Float32Array(kept.length);
  if (oldBias) bias.set(toFloat32(oldBias).subarray(0, kept.length));
  const fits: LayerFit[] = [];
  const fitted: Matrix[] = [];
  const perGroup = kept.length / group;
  const before = weightMatrices(layer, weight.dims, toFloat32(weight), group);
  for (const [g, w0] of before.entries()) {
    const regression = regressions[g];
    if (!regression) {
      fitted.push(w0);
      continue;
    }
    const own = Float64Array.from(bias.subarray(g * perGroup, (g + 1) * perGroup));
    const space = regression.way === 'rows' ? regression.space : undefined;
    const start = { weight: space?.enter(w0) ?? w0, bias: own };
    const { map, ...fit } =
      regression.way === 'tiles'
        ? await fitTiled(regression.fit, regression.held, start, bounds, context.engine)
        : await fitGroup(regression, start, bounds, context.engine);
    fitted.push(space?.leave(w0, start.weight, map.weight) ?? map.weight);
    bias.set(Float32Array.from(map.bias), g * perGroup);
    fits.push({ layer: layer.output, ...fit });
  }
  const editor = edit(model);
  editor.setInitializer(
    node.inputs[1] ?? '',
    floatTensor(weight.dims, packWeights(layer, weight.dims, fitted)),
  );
  if (layer.kind !== 'matmul') {
    const name = oldBias ? (node.inputs[2] ?? '') : editor.freshName(`${layer.output}_bias`);
    const target = graph.consumers(name).length > 1 ? editor.freshName(name) : name;
    editor.setInitializer(target, floatTensor([kept.length], bias));
    if (target !== node.inputs[2]) editor.replaceInput(node, 2, target);
  }
  return { model: editor.done(), fits };
}

/**
 * The best of the weights as they were, a linear fit, and a fit through the activation, by the error
 * on held-out rows; the fit that won is made again on all rows.
 */
async function fitGroup(
  { fit, held, all, rows }: Regression,
  before: Affine,
  bounds: Bounds | undefined,
  engine: GramEngine,
): Promise<{ map: Affine; strength: number; errorBefore: number; errorAfter: number }> {
  const strength = chooseStrength(fit, held, before.weight);
  const linear = ridgeToward(fit, before.weight, strength);
  const refit = (): Affine => ridgeToward(all, before.weight, strength);
  if (!bounds || !rows) {
    const [errorBefore, errorAfter] = [relativeError(held, before), relativeError(held, linear)];
    return errorAfter < errorBefore
      ? { map: refit(), strength, errorBefore, errorAfter }
      : { map: before, strength, errorBefore, errorAfter: errorBefore };
  }
  const through = (moments: Moments, blocks: readonly RowBlock[], start: Affine): Promise<Affine> =>
    fitThrough(bounds, moments, blocks, before.weight, strength, start, engine);
  const error = (map: Affine): Promise<number> => errorThrough(bounds, rows.held, map, engine);
  const [errorBefore, errorLinear, errorThroughIt] = [
    await error(before),
    await error(linear),
    await error(await through(fit, [rows.fit], linear)),
  ];
  const errorAfter = Math.min(errorBefore, errorLinear, errorThroughIt);
  const map =
    errorAfter === errorBefore
      ? before
      : errorAfter === errorLinear
        ? refit()
        : await through(all, [rows.fit, rows.held], refit());
  return { map, strength, errorBefore, errorAfter };
}

function groupsLeft(layer: LinearLayer, removed: RemovedUnits, { channels }: RefitContext): number {
  if (!layer.depthwise) return layer.group;
  const multiplier = layer.outputIds.length / layer.group;
  const kept = positionsKept(layer.outputIds, (id) => !removed.has(channels.rootOf(id)));
  return kept.length / multiplier;
}
