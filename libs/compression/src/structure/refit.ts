import { edit, floatTensor, graphOf, type Model, type Node, toFloat32 } from '@espalier/onnx';
import { type ChannelGraph } from '../channels/channel-graph.js';
import { positionsKept, type RemovedUnits } from '../channels/cut.js';
import type { LinearLayer } from '../channels/labels.js';
import type { Matrix } from '../linear-algebra/cholesky.js';
import type { DenseLayer } from '../statistics/dense.js';
import { addSums, GramAccumulator, type GramEngine, momentsOf } from '../statistics/gram.js';
import { readOutput, rowReader } from '../statistics/patches.js';
import { dimsAtOne } from '../statistics/row-plan.js';
import { FrontierWalk } from '../statistics/frontier.js';
import type { RunSettings } from '../statistics/run.js';
import type { Samples } from '../statistics/samples.js';
import { packWeights, weightMatrices } from './layer-weights.js';
import { chooseStrength, relativeError, ridgeToward } from './ridge.js';

/** What a refit reads besides the models. */
export interface RefitContext {
  readonly channels: ChannelGraph;
  readonly dense: ReadonlyMap<string, DenseLayer>;
  readonly samples: Samples;
  /** The samples that `dense` was collected on, in that order. */
  readonly indices: readonly number[];
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

/** Every fourth sample is held out to choose the ridge's strength. */
const HELD_EVERY = 4;

/**
 * Refits, in the order of the graph, each layer that reads something other than it did: on the
 * compressed model's own inputs, against the dense model's outputs, the residual shortcut's error
 * included. A fit that does not lower the held-out error is not taken.
 * @param cut the model after the cut
 * @param removed the units that it lacks
 */
export async function refitLayers(
  cut: Model,
  removed: RemovedUnits,
  context: RefitContext,
  onLayer?: (done: number, total: number) => void,
): Promise<{ model: Model; fits: LayerFit[] }> {
  const layers = changedLayers(context.channels, removed);
  const fits: LayerFit[] = [];
  let model = cut;
  const walk = new FrontierWalk(context.samples, context.indices, context.settings);
  for (const [at, layer] of layers.entries()) {
    const dense = context.dense.get(layer.output);
    if (dense) {
      const done = await refitLayer(model, layer, dense, removed, context, walk);
      model = done.model;
      fits.push(...done.fits);
    }
    onLayer?.(at + 1, layers.length);
  }
  return { model, fits };
}

/** Layers whose input lost channels or changed in value, in the order of the graph. */
export function changedLayers(channels: ChannelGraph, removed: RemovedUnits): LinearLayer[] {
  const graph = graphOf(channels.model);
  const byNode = new Map<Node, LinearLayer>(channels.layers.map((layer) => [layer.node, layer]));
  const changed = new Set<string>();
  const out: LinearLayer[] = [];
  for (const node of graph.nodes) {
    const layer = byNode.get(node);
    const lost = layer?.inputIds?.some((id) => removed.has(channels.rootOf(id))) ?? false;
    if (!lost && !node.inputs.some((name) => changed.has(name))) continue;
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
  walk: FrontierWalk,
): Promise<{ model: Model; fits: LayerFit[] }> {
  const graph = graphOf(model);
  const node = graph.producer(layer.output);
  const weight = graph.constant(node?.inputs[1] ?? '');
  const dims = dimsAtOne(model);
  const reader =
    node &&
    weight &&
    rowReader(
      { ...layer, node, group: groupsLeft(layer, removed, context) },
      weight.dims,
      dims(layer.input),
      dims(layer.output),
    );
  if (!node || !weight || !reader) return { model, fits: [] };
  const group = groupsLeft(layer, removed, context);
  const kept = positionsKept(layer.outputIds, (id) => !removed.has(context.channels.rootOf(id)));
  const perGroup = kept.length / group;
  const width = reader.columns + perGroup + 1;
  const open = (): GramAccumulator[] =>
    Array.from({ length: group }, () => new GramAccumulator(context.engine, width));
  const parts = { fit: open(), held: open() };
  const wide = { ...layer, group };
  const shortcutRow = new Float32Array(kept.length);
  await walk.advance(model, graph.nodes.indexOf(node), async (tensors, offset, count) => {
    const x = tensors[layer.input];
    const s = dense.shortcut === undefined ? undefined : tensors[dense.shortcut];
    if (!x) return;
    for (let i = 0; i < count; i++) {
      const sample = offset + i;
      const grams = sample % HELD_EVERY === HELD_EVERY - 1 ? parts.held : parts.fit;
      const positions = dense.plan.positions(sample);
      for (let k = 0; k < positions.length; k++) {
        const position = positions[k] as number;
        const row = (sample * dense.plan.perSample + k) * dense.targetWidth;
        if (s) readOutput(wide, s, i, position, shortcutRow, 0);
        for (let g = 0; g < group; g++) {
          const gram = grams[g] as GramAccumulator;
          const { into, at } = gram.next();
          reader.read(x, i, position, g, into, at);
          for (let o = 0; o < perGroup; o++) {
            const channel = g * perGroup + o;
            into[at + reader.columns + o] =
              (dense.targetRows[row + (kept[channel] as number)] as number) -
              (s ? (shortcutRow[channel] as number) : 0);
          }
          into[at + width - 1] = 1;
          if (gram.commit()) await gram.flush();
        }
      }
    }
  });
  for (const gram of [...parts.fit, ...parts.held]) await gram.flush();

  const weights = weightMatrices(layer, weight.dims, toFloat32(weight), group);
  const bias = new Float32Array(kept.length);
  const oldBias = layer.bias === undefined ? undefined : graph.constant(node.inputs[2] ?? '');
  if (oldBias) bias.set(toFloat32(oldBias).subarray(0, kept.length));
  const fits: LayerFit[] = [];
  const fitted: Matrix[] = [];
  weights.forEach((w0, g) => {
    const [fitGram, heldGram] = [parts.fit[g], parts.held[g]];
    if (!fitGram || !heldGram) return;
    const fit = momentsOf(fitGram.sum, reader.columns, perGroup);
    const held = momentsOf(heldGram.sum, reader.columns, perGroup);
    const range = {
      weight: w0,
      bias: Float64Array.from(bias.subarray(g * perGroup, (g + 1) * perGroup)),
    };
    const strength = chooseStrength(fit, held, w0);
    const errorBefore = relativeError(held, range);
    const errorAfter = relativeError(held, ridgeToward(fit, w0, strength));
    const all = ridgeToward(
      momentsOf(addSums(fitGram.sum, heldGram.sum), reader.columns, perGroup),
      w0,
      strength,
    );
    const better = errorAfter < errorBefore;
    fitted.push(better ? all.weight : w0);
    if (better) bias.set(Float32Array.from(all.bias), g * perGroup);
    fits.push({
      layer: layer.output,
      strength,
      errorBefore,
      errorAfter: better ? errorAfter : errorBefore,
    });
  });
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

function groupsLeft(layer: LinearLayer, removed: RemovedUnits, { channels }: RefitContext): number {
  if (!layer.depthwise) return layer.group;
  const multiplier = layer.outputIds.length / layer.group;
  const kept = positionsKept(layer.outputIds, (id) => !removed.has(channels.rootOf(id)));
  return kept.length / multiplier;
}
