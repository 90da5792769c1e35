import {
  attrString,
  type Graph,
  graphOf,
  inferShapes,
  type Model,
  type Node,
  type ShapeMap,
} from '@espalier/onnx';
import { clipBounds } from '../channels/clip-bounds.js';
import { type LayerDraft, layerOf } from './layer-draft.js';

/** A layer whose weights become int8. Its `output` is the node's own, before any activation. */
export interface QuantizedLayer extends LayerDraft {
  /** What the layer gives after the activations that its range takes over. */
  readonly result: string;
}

/** A tensor that exists as uint8: quantized once after it is made, dequantized for its readers. */
export interface QuantizedTensor {
  /** As readers know it. */
  readonly name: string;
  /** What is quantized: the producer's own output, before the activations that the range absorbs. */
  readonly source: string;
  /** Whether the producer stays in float, so that float readers read the float value. */
  readonly floatMade: boolean;
  /** Tensor whose scale and zero point it has too; itself mostly. */
  readonly scaleOf: string;
  /** Bounds that the absorbed activations set. */
  readonly lower: number;
  readonly upper: number;
}

/** Which parts of a model become int8, and where. */
export interface QuantizationPlan {
  readonly model: Model;
  readonly layers: readonly QuantizedLayer[];
  /** By name. */
  readonly tensors: ReadonlyMap<string, QuantizedTensor>;
  /** Nodes that read dequantized values. */
  readonly quantized: ReadonlySet<Node>;
  /** Activations that the ranges before them take over. */
  readonly absorbed: ReadonlySet<Node>;
  /** Layers that stay in float: those asked for, and those without an int8 kernel. */
  readonly floatLayers: readonly string[];
}

const FLOAT_LAYERS = new Set(['Conv', 'Gemm', 'MatMul', 'ConvTranspose']);
/** Their output has a scale of its own. */
const UNARY = new Set(['AveragePool', 'GlobalAveragePool', 'LeakyRelu', 'Sigmoid']);
const MERGING = new Set(['Add', 'Mul', 'Concat']);
/** They move values without changing them. */
const MOVING = new Set(
  'MaxPool Flatten Reshape Transpose Squeeze Unsqueeze Slice Split Gather GatherElements Expand Tile Resize ReduceMax ReduceMin'.split(
    ' ',
  ),
);

/**
 * Decides what is quantized, so that ONNX Runtime fuses it: every layer with constant float weights
 * but those named, and what lies between them. What follows the last layer, and what ONNX Runtime has
 * no integer kernel for, stays in float.
 * @param keepFloat keys of layers that stay in float
 */
export function planQuantization(model: Model, keepFloat: ReadonlySet<string>): QuantizationPlan {
  const graph = graphOf(model);
  const shapes = inferShapes(model);
  const layerDrafts = new Map<Node, LayerDraft>();
  for (const node of graph.nodes) {
    const layer = keepFloat.has(node.key) ? undefined : layerOf(graph, shapes, node);
    if (layer) layerDrafts.set(node, layer);
  }
  const quantized = useful(graph, candidates(graph, shapes, new Set(layerDrafts.keys())), (node) =>
    layerDrafts.has(node),
  );
  const tensors = new Map<string, QuantizedTensor>();
  const absorbed = new Set<Node>();
  const results = new Map<Node, string>();
  for (const node of graph.nodes) {
    if (!quantized.has(node)) continue;
    for (const name of activationInputs(node)) {
      if (tensors.has(name)) continue;
      const open = { lower: -Infinity, upper: Infinity };
      tensors.set(name, { name, source: name, floatMade: true, scaleOf: name, ...open });
    }
    const moving = MOVING.has(node.op);
    for (const output of node.outputs) {
      if (output === '') continue;
      const chain = moving
        ? { nodes: [], result: output, lower: -Infinity, upper: Infinity }
        : absorbedBy(graph, output);
      results.set(node, chain.result);
      if (layerDrafts.has(node) && givesFloat(graph, quantized, node, chain.result)) {
        results.set(node, output);
        continue;
      }
      for (const activation of chain.nodes) absorbed.add(activation);
      const from = tensors.get(node.inputs[0] ?? '');
      tensors.set(chain.result, {
        name: chain.result,
        source: output,
        floatMade: false,
        scaleOf: moving && from ? from.scaleOf : chain.result,
        lower: chain.lower,
        upper: chain.upper,
      });
    }
  }
  return {
    model,
    layers: [...layerDrafts].map(([node, layer]) => ({
      ...layer,
      result: results.get(node) ?? layer.output,
    })),
    tensors,
    quantized,
    absorbed,
    floatLayers: graph.nodes
      .filter((node) => FLOAT_LAYERS.has(node.op) && node.domain === '' && !layerDrafts.has(node))
      .map((node) => node.key),
  };
}

/** Values that a quantized node reads as activations. */
function activationInputs(node: Node): readonly string[] {
  return MERGING.has(node.op) ? node.inputs : node.inputs.slice(0, 1);
}

/** Layers, and nodes with an integer kernel that read something quantized. */
function candidates(graph: Graph, shapes: ShapeMap, layers: ReadonlySet<Node>): Set<Node> {
  const chosen = new Set<Node>();
  const carried = new Set<string>();
  for (const node of graph.nodes) {
    const reads = activationInputs(node);
    const fits =
      layers.has(node) ||
      (hasIntegerKernel(graph, shapes, node) && reads.some((name) => carried.has(name)));
    if (!fits) continue;
    chosen.add(node);
    for (const output of node.outputs) {
      carried.add(output);
      if (!MOVING.has(node.op)) carried.add(absorbedBy(graph, output).result);
    }
  }
  return chosen;
}

function hasIntegerKernel(graph: Graph, shapes: ShapeMap, node: Node): boolean {
  if (node.domain !== '' || node.hasSubgraph) return false;
  const float = (name: string): boolean =>
    shapes.get(name)?.dtype === 'float32' && graph.constant(name) === undefined;
  if (UNARY.has(node.op)) return float(node.inputs[0] ?? '');
  if (MERGING.has(node.op))
    return (
      node.inputs.length > 1 &&
      new Set(node.inputs).size === node.inputs.length &&
      node.inputs.every(float)
    );
  if (!MOVING.has(node.op) || !float(node.inputs[0] ?? '')) return false;
  if (node.op === 'Resize') return attrString(node, 'mode', 'nearest') === 'nearest';
  return node.op === 'Split' || node.outputs.length === 1;
}

/** Leaves out nodes from which no layer is reached over quantized nodes: the tail stays in float. */
function useful(
  graph: Graph,
  chosen: ReadonlySet<Node>,
  isLayer: (node: Node) => boolean,
): Set<Node> {
  const kept = new Set<Node>();
  for (const node of [...graph.nodes].reverse()) {
    if (!chosen.has(node)) continue;
    const leads = node.outputs.every((output) => {
      const result = MOVING.has(node.op) ? output : absorbedBy(graph, output).result;
      return readByQuantized(graph, kept, result);
    });
    if (isLayer(node) || leads) kept.add(node);
  }
  return kept;
}

function readByQuantized(graph: Graph, quantized: ReadonlySet<Node>, name: string): boolean {
  return graph
    .consumers(name)
    .some((node) => quantized.has(node) && activationInputs(node).includes(name));
}

/** After a Gemm without a QuantizeLinear, ONNX Runtime fuses these first and then finds no Gemm. */
const JOINED_TO_GEMM = new Set(
  'Elu HardSigmoid LeakyRelu Selu Sigmoid Softplus Softsign Tanh ThresholdedRelu'.split(' '),
);
/** After these it looks for a QuantizeLinear. */
const BOUNDING = new Set(['Relu', 'Clip']);

/** Whether a layer's integer kernel gives float: only Gemm and MatMul can, and only to float readers. */
function givesFloat(
  graph: Graph,
  quantized: ReadonlySet<Node>,
  layer: Node,
  result: string,
): boolean {
  if (layer.op === 'Conv' || readByQuantized(graph, quantized, result)) return false;
  const [reader, another] = graph.consumers(layer.outputs[0] ?? '');
  if (!reader || another) return true;
  const joined = layer.op === 'Gemm' && JOINED_TO_GEMM.has(reader.op);
  return !joined && !BOUNDING.has(reader.op);
}

interface Absorption {
  readonly nodes: readonly Node[];
  readonly result: string;
  readonly lower: number;
  readonly upper: number;
}

/** Relu and Clip by constants that alone read a value: a range within their bounds does their work. */
function absorbedBy(graph: Graph, output: string): Absorption {
  const nodes: Node[] = [];
  let [result, lower, upper] = [output, -Infinity, Infinity];
  for (;;) {
    const [reader, another] = graph.consumers(result);
    if (!reader || another || graph.isOutput(result) || graph.usedInSubgraph(result)) break;
    const bounds = clipBounds(graph, reader);
    if (!bounds || reader.inputs[0] !== result) break;
    nodes.push(reader);
    [lower, upper] = [Math.max(lower, bounds[0]), Math.min(upper, bounds[1])];
    result = reader.outputs[0] ?? '';
  }
  // Quantized ranges hold zero: bounds that exclude it cannot be taken over.
  const holds = lower <= 0 && upper > 0;
  return holds
    ? { nodes, result, lower, upper }
    : { nodes: [], result: output, lower: -Infinity, upper: Infinity };
}
