import { countModel, graphOf, type Model } from '@espalier/onnx';
import type { AffineScale } from './affine.js';
import { clipBounds } from '../channels/clip-bounds.js';
import { planQuantization, type QuantizationPlan } from './plan.js';
import { type QuantizedParameters, writeQdq } from './qdq.js';

/** Layers in a row that stay in float. */
export type Island = readonly string[];

/** Longest island that is tried. */
const LONGEST = 3;
/** Most islands that are tried. */
const MOST_TRIED = 64;
/** Most islands of one model. */
const MOST_ISLANDS = 4;
/** An island must take away this share of the divergence, and this many times its share of the work. */
const LEAST_GAIN = 0.25;
const GAIN_OVER_WORK = 2;

/**
 * Islands worth trying: each layer by itself, or with those right after it where ONNX Runtime would
 * otherwise make int8 weights of its own for a single float layer between two quantized values.
 */
export function candidateIslands(plan: QuantizationPlan): Island[] {
  const { model } = plan;
  const islands: Island[] = [];
  for (const layer of plan.layers.slice(0, MOST_TRIED)) {
    const island = [layer.node.key];
    let last = layer;
    while (isRequantized(planQuantization(model, new Set(island)), island)) {
      const next = plan.layers.find(({ input }) => input === last.result);
      if (!next || island.length === LONGEST) break;
      island.push(next.node.key);
      last = next;
    }
    if (!isRequantized(planQuantization(model, new Set(island)), island)) islands.push(island);
  }
  return islands;
}

/** ONNX Runtime moves QuantizeLinear and DequantizeLinear over these, towards the layers. */
const PASSED = new Set('MaxPool Reshape Transpose Squeeze Unsqueeze Slice'.split(' '));

/** Whether ONNX Runtime would quantize a float layer of the island when it loads the model. */
function isRequantized(plan: QuantizationPlan, island: Island): boolean {
  const graph = graphOf(plan.model);
  return graph.nodes.some(
    (node) =>
      island.includes(node.key) &&
      readsDequantized(plan, node.inputs[0] ?? '') &&
      isQuantizedNext(plan, node.outputs[0] ?? ''),
  );
}

function readsDequantized(plan: QuantizationPlan, name: string): boolean {
  const tensor = plan.tensors.get(name);
  if (tensor && !tensor.floatMade) return true;
  const producer = graphOf(plan.model).producer(name);
  const passed = producer !== undefined && PASSED.has(producer.op) && !plan.quantized.has(producer);
  return passed && readsDequantized(plan, producer.inputs[0] ?? '');
}

function isQuantizedNext(plan: QuantizationPlan, name: string): boolean {
  const graph = graphOf(plan.model);
  const readers = graph.consumers(name);
  const [reader, another] = readers;
  if (!reader || graph.isOutput(name)) return false;
  if (readers.every((node) => plan.quantized.has(node))) return true;
  const passed = clipBounds(graph, reader) !== undefined || PASSED.has(reader.op);
  return !another && passed && isQuantizedNext(plan, reader.outputs[0] ?? '');
}

/** The int8 form of a model with some layers in float; undefined where scales for it are missing. */
export function withIslands(
  plan: QuantizationPlan,
  parameters: QuantizedParameters,
  keepFloat: ReadonlySet<string>,
): Model | undefined {
  const part = planQuantization(plan.model, keepFloat);
  const activations = new Map<string, AffineScale>();
  for (const { name, scaleOf } of part.tensors.values()) {
    if (scaleOf !== name) continue;
    const scale = parameters.activations.get(plan.tensors.get(name)?.scaleOf ?? '');
    if (!scale) return undefined;
    activations.set(name, scale);
  }
  return writeQdq(part, { ...parameters, activations });
}

/** What islands are judged by. */
export interface IslandSearch {
  readonly plan: QuantizationPlan;
  readonly parameters: QuantizedParameters;
  /** Divergence without an island. */
  readonly before: number;
  judge(model: Model): Promise<number>;
}

/**
 * Keeps the layers in float that int8 hurts most: each candidate is measured by itself, then the best
 * are taken one after the other as long as each pays for the work that it leaves in float.
 * @returns the layers, the model with them and its divergence; undefined when none pays
 */
export async function chooseIslands(
  search: IslandSearch,
): Promise<{ layers: readonly string[]; model: Model; after: number } | undefined> {
  const { plan, parameters } = search;
  const cost = countModel(plan.model);
  const pays = (before: number, after: number, island: Island): boolean => {
    const work = island.reduce((sum, key) => sum + (cost.perNode.get(key)?.macs ?? 0), 0);
    const gain = 1 - after / before;
    return gain >= LEAST_GAIN && gain >= (GAIN_OVER_WORK * work) / Math.max(cost.macs, 1);
  };
  const measured: { island: Island; after: number }[] = [];
  for (const island of candidateIslands(plan)) {
    const model = withIslands(plan, parameters, new Set(island));
    const after = model ? await search.judge(model) : Infinity;
    if (pays(search.before, after, island)) measured.push({ island, after });
  }
  measured.sort((a, b) => a.after - b.after);
  let best: { layers: readonly string[]; model: Model; after: number } | undefined;
  for (const { island } of measured.slice(0, MOST_ISLANDS)) {
    const layers = [...new Set([...(best?.layers ?? []), ...island])];
    const model = withIslands(plan, parameters, new Set(layers));
    const after = model ? await search.judge(model) : Infinity;
    if (model && pays(best?.after ?? search.before, after, island)) best = { layers, model, after };
  }
  return best;
}
