import { graphOf, type Model } from '@espalier/onnx';
import { buildChannelGraph } from '../channels/channel-graph.js';
import type { LinearLayer } from '../channels/labels.js';
import { outputsOf } from '../evaluate.js';
import { lossOfModel, type OutputKind } from '../search/sensitivity.js';
import { collectDense, type DenseLayer } from '../statistics/dense.js';
import { FrontierWalk } from '../statistics/frontier.js';
import type { GramEngine } from '../statistics/gram.js';
import type { RunSettings } from '../statistics/run.js';
import {
  aboutZero,
  readRegressions,
  type Regression,
  type TiledRegression,
} from '../statistics/regression.js';
import type { Samples } from '../statistics/samples.js';
import { chooseStrength, freeBias, ridgeToward } from '../structure/ridge.js';
import { shareOut } from './allocation.js';
import {
  damped,
  groupWeights,
  type GroupTraces,
  removeWeights,
  withWeights,
} from './pruned-layer.js';
import { sortedCosts, traceRemovals } from './removal-trace.js';

/** What weight pruning reads besides the model. */
export interface SparsityContext {
  readonly samples: Samples;
  /** Samples to fit on. */
  readonly indices: readonly number[];
  readonly engine: GramEngine;
  readonly settings: RunSettings & { readonly seed: number };
  readonly output: OutputKind & { readonly name?: string | undefined };
}

/** How many of a layer's weights are zero by pruning. */
export interface LayerSparsity {
  /** The layer's output tensor. */
  readonly layer: string;
  readonly weights: number;
  readonly zeros: number;
}

/** Damping of dense Grams, as a share of their mean diagonal. */
const DAMPING = 1e-2;

/** Samples on which one layer's effect on the output is measured. */
const JUDGED = 128;

/**
 * Makes a share of a model's weights exactly zero without training. The dense Grams say what each
 * removal costs a layer, the model's own output says what the layer's error costs; the removals are
 * shared out so that the last costs the same everywhere. Then, layer by layer in the order of the
 * graph, weights go by Optimal Brain Surgeon and the rest is solved for, on what the pruned model
 * itself feeds the layer and against what the layer gave before. Depthwise layers keep their weights:
 * they are few, and each of them matters; so do layers too wide for moments, whose share is left out.
 * @param model a prepared model (Constant nodes folded, BatchNormalization folded where it can be)
 * @param sparsity share of the weights of all layers that become zero, from 0 to 0.95
 * @throws CompressionError COMPRESS_CANCELLED
 */
export async function pruneWeights(
  model: Model,
  sparsity: number,
  context: SparsityContext,
  onLayer?: (done: number, total: number) => void,
): Promise<{ model: Model; masks: LayerSparsity[] }> {
  const { samples, indices, engine, settings } = context;
  const channels = buildChannelGraph(model);
  // Moments are taken of layers whose input can be cut; here they are wanted of all that are pruned.
  const layers = channels.layers.map((layer) =>
    canPrune(model, layer) ? { ...layer, inputIds: layer.inputIds ?? layer.outputIds } : layer,
  );
  const dense = await collectDense({ ...channels, layers }, samples, indices, engine, settings);
  const drafts = layers.flatMap((layer) => {
    const statistics = dense.get(layer.output);
    const pruned = statistics && statistics.inputs.length > 0 && canPrune(model, layer);
    return pruned ? [draftOf(model, statistics)] : [];
  });
  const importance = await measureImportance(model, drafts, sparsity, context);
  const weights = layers.map((layer) => weightCount(model, layer));
  const drafted = new Set(drafts.map(({ layer }) => layer));
  // What a layer without moments keeps is not taken from the others instead.
  const counted = layers.map((layer, i) =>
    drafted.has(layer) || !canPrune(model, layer) ? (weights[i] ?? 0) : 0,
  );
  const counts = shareOut(
    drafts.map(({ costs }, i) => ({ costs, importance: importance[i] ?? 1 })),
    Math.round(sparsity * counted.reduce((a, b) => a + b, 0)),
  );
  const zeros = new Map(drafts.map(({ layer }, i) => [layer.output, counts[i] ?? 0]));

  let pruned = model;
  const reading = {
    walk: new FrontierWalk(samples, indices, settings),
    places: indices.map((_, i) => i),
  };
  for (const [at, layer] of layers.entries()) {
    const statistics = dense.get(layer.output);
    const count = zeros.get(layer.output) ?? 0;
    if (statistics && count > 0) {
      const kept = Array.from({ length: statistics.targetWidth }, (_, i) => i);
      const state = { reader: statistics.reader, group: layer.group, kept };
      const regressions = await readRegressions(pruned, statistics, state, reading, engine);
      pruned = pruneLayer(pruned, layer, count, regressions);
    }
    onLayer?.(at + 1, layers.length);
  }
  const masks = layers.map(({ output }, i) => ({
    layer: output,
    weights: weights[i] ?? 0,
    zeros: zeros.get(output) ?? 0,
  }));
  return { model: pruned, masks };
}

/** Whether a layer mixes channels by weights of its own. */
function canPrune(model: Model, { depthwise, weight }: LinearLayer): boolean {
  const graph = graphOf(model);
  return !depthwise && graph.consumers(weight).length === 1 && !graph.usedInSubgraph(weight);
}

function weightCount(model: Model, { weight }: LinearLayer): number {
  return (graphOf(model).constant(weight)?.dims ?? [0]).reduce((a, b) => a * b, 1);
}

/** A layer, and what each removal would cost it by the dense Grams. */
interface Draft {
  readonly layer: LinearLayer;
  readonly groups: readonly GroupTraces[];
  readonly costs: Float64Array;
}

function draftOf(model: Model, { layer, inputs }: DenseLayer): Draft {
  const weights = groupWeights(model, layer);
  const groups = inputs.flatMap((moments, g) => {
    const weight = weights[g];
    if (!weight) return [];
    const { xx } = layer.kind === 'matmul' ? aboutZero(moments) : moments;
    const hessian = damped(xx, DAMPING);
    return [{ weight, hessian, traces: traceRemovals(weight, hessian) }];
  });
  return { layer, groups, costs: sortedCosts(groups.flatMap(({ traces }) => traces)) };
}

/**
 * What the model loses for each unit of a layer's cost: each layer is pruned alone, by the share that
 * is wanted of all.
 */
async function measureImportance(
  model: Model,
  drafts: readonly Draft[],
  sparsity: number,
  { samples, indices, output, settings }: SparsityContext,
): Promise<number[]> {
  const stride = Math.max(1, Math.ceil(indices.length / JUDGED));
  const judged = indices.filter((_, i) => i % stride === 0);
  const named = { ...settings, output: output.name };
  const reference = await outputsOf(model, samples, judged, named);
  const context = { samples, indices: judged, reference, output, settings };
  const importance: number[] = [];
  for (const { layer, groups, costs } of drafts) {
    const count = Math.round(sparsity * costs.length);
    const cost = costs.subarray(0, count).reduce((a, b) => a + b, 0);
    const alone = withWeights(model, layer, removeWeights(groups, count));
    const loss = await lossOfModel(alone, context);
    importance.push(Math.max(loss, 1e-9) / Math.max(cost, 1e-30));
  }
  return importance;
}

/** Makes `count` weights of a layer zero and fits the rest, and the bias, to what it should give. */
function pruneLayer(
  model: Model,
  layer: LinearLayer,
  count: number,
  regressions: readonly (Regression | TiledRegression)[],
): Model {
  const groups = groupWeights(model, layer).flatMap((before, g) => {
    const seen = regressions[g];
    // Of a layer without moments no weight goes, so that none comes here whose Gram is in tiles.
    if (!seen || seen.way === 'tiles') return [];
    const { fit, held, all } = seen;
    const strength = chooseStrength(fit, held, before);
    const { weight } = ridgeToward(all, before, strength);
    const hessian = damped(all.xx, strength);
    return [{ weight, hessian, traces: traceRemovals(weight, hessian), all }];
  });
  const solved = removeWeights(groups, count);
  if (layer.kind === 'matmul') return withWeights(model, layer, solved);
  const bias = solved.flatMap((weight, g) => {
    const all = groups[g]?.all;
    return all ? [...freeBias(weight, all.meanX, all.meanT)] : [];
  });
  return withWeights(model, layer, solved, Float32Array.from(bias));
}
