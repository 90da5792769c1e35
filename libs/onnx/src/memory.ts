import { byteLength } from './dtype.js';
import { graphOf, type Graph } from './graph.js';
import type { Model } from './model.js';
import type { Node } from './node.js';
import { inferShapes, type InferredShape } from './shape-inference/infer.js';
import { elementCount } from './tensor.js';

export interface ActivationArena {
  /** Most bytes of activations that are live at one time, inputs and outputs of the graph included. */
  readonly peakBytes: number;
  /** Bytes of all constants. */
  readonly weightBytes: number;
  /** Weights plus the peak. */
  readonly peakRamBytes: number;
  /** Bytes live while each node runs, in execution order. */
  readonly liveAt: readonly {
    readonly node: string;
    readonly op: string;
    readonly bytes: number;
  }[];
  /** Values whose size is not known and not counted. */
  readonly unsized: readonly string[];
}

/** Views of the input: no bytes of their own. */
const VIEWS = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity', 'Dropout']);

/** May write over an input that nobody reads afterwards. */
const IN_PLACE = new Set(
  'Relu Clip LeakyRelu PRelu Sigmoid Tanh HardSigmoid HardSwish Elu Selu Gelu Mish Softplus Softmax LogSoftmax Add Sub Mul Div Sum Min Max Pow Neg Abs Sqrt Exp Log Erf Floor Ceil BatchNormalization'.split(
    ' ',
  ),
);

/** Run on quantized values as one with the quantizers around them. */
const QUANTIZED = new Set(
  'Conv ConvTranspose Gemm MatMul Add Mul Relu Clip LeakyRelu Sigmoid MaxPool AveragePool GlobalAveragePool Concat Split Resize Transpose Reshape Flatten Squeeze Unsqueeze Softmax ReduceMean Pad Slice Gather'.split(
    ' ',
  ),
);

interface Block {
  readonly bytes: number;
  lastUse: number;
  /** Whether a node may write over it. */
  readonly owned: boolean;
}

/**
 * The peak of live activations when nodes run one after another (batch 1 by default), as ONNX
 * Runtime lays them out: views share memory, pointwise nodes write over inputs that are read no more,
 * and between a DequantizeLinear and a QuantizeLinear only the quantized values exist. The caller
 * holds inputs of the graph for the whole run, and outputs from when they are made.
 */
export function activationArena(model: Model, options: { batch?: number } = {}): ActivationArena {
  const graph = graphOf(model);
  const shapes = inferShapes(model, options);
  const lastUse = lastUses(graph);
  const blocks = new Map<string, Block>();
  const live = new Set<Block>();
  const unsized: string[] = [];
  const sizeOf = (name: string): number => {
    const bytes = bytesOf(shapes.get(name));
    if (bytes === undefined) unsized.push(name);
    return bytes ?? 0;
  };
  const place = (name: string, block: Block): void => {
    block.lastUse = Math.max(block.lastUse, lastUse.get(name) ?? -1);
    blocks.set(name, block);
    live.add(block);
  };
  for (const { name } of graph.inputs) {
    place(name, { bytes: sizeOf(name), lastUse: Infinity, owned: false });
  }
  const liveAt = graph.nodes.map((node, index) => {
    if (node.op !== 'Constant') {
      node.outputs.forEach((name, at) => {
        if (name === '') return;
        const shared =
          at === 0 ? sharedBlock(graph, node, index, blocks, bytesOf(shapes.get(name))) : undefined;
        const virtual = at === 0 && isFusedAway(graph, node);
        place(name, shared ?? { bytes: virtual ? 0 : sizeOf(name), lastUse: index, owned: true });
      });
    }
    const bytes = [...live].reduce((sum, block) => sum + block.bytes, 0);
    for (const block of live) if (block.lastUse <= index) live.delete(block);
    return { node: node.key, op: node.op, bytes };
  });
  const peakBytes = liveAt.reduce((peak, { bytes }) => Math.max(peak, bytes), 0);
  const weightBytes = constantBytes(graph);
  return { peakBytes, weightBytes, peakRamBytes: weightBytes + peakBytes, liveAt, unsized };
}

function bytesOf(shape: InferredShape | undefined): number | undefined {
  if (shape?.dims == null || shape.dtype === 'undefined') return undefined;
  return byteLength(shape.dtype, elementCount(shape.dims));
}

/** Position of the last node that reads each value; outputs of the graph are read for ever. */
function lastUses(graph: Graph): Map<string, number> {
  const uses = new Map<string, number>();
  graph.nodes.forEach((node, index) => {
    for (const name of [...node.inputs, ...node.captures]) uses.set(name, index);
  });
  for (const { name } of graph.outputs) uses.set(name, Infinity);
  return uses;
}

function sharedBlock(
  graph: Graph,
  node: Node,
  index: number,
  blocks: ReadonlyMap<string, Block>,
  bytes: number | undefined,
): Block | undefined {
  const first = blocks.get(node.inputs[0] ?? '');
  if (VIEWS.has(node.op)) return first;
  if (node.op === 'DequantizeLinear') {
    const output = node.outputs[0] ?? '';
    const readers = graph.consumers(output);
    const fused =
      readers.length > 0 &&
      !graph.isOutput(output) &&
      readers.every((reader) => QUANTIZED.has(reader.op) && isFusedAway(graph, reader));
    return fused ? first : undefined;
  }
  if (!IN_PLACE.has(node.op) || isFusedAway(graph, node)) return undefined;
  return node.inputs
    .map((name) => blocks.get(name))
    .find((block) => block?.owned && block.lastUse <= index && block.bytes === bytes);
}

/** Whether a node's output is never stored, because it is quantized on the way out. */
function isFusedAway(graph: Graph, node: Node): boolean {
  const output = node.outputs[0] ?? '';
  const readers = graph.consumers(output);
  if (!QUANTIZED.has(node.op) || graph.isOutput(output) || readers.length === 0) return false;
  return readers.every(
    (reader) =>
      reader.op === 'QuantizeLinear' ||
      ((reader.op === 'Relu' || reader.op === 'Clip') &&
        readers.length === 1 &&
        isFusedAway(graph, reader)),
  );
}

function constantBytes(graph: Graph): number {
  let bytes = 0;
  for (const { dtype, dims } of graph.initializers.values()) {
    bytes += byteLength(dtype, elementCount(dims));
  }
  for (const node of graph.nodes) {
    const tensor = node.op === 'Constant' ? graph.constant(node.outputs[0] ?? '') : undefined;
    if (tensor !== undefined) bytes += byteLength(tensor.dtype, elementCount(tensor.dims));
  }
  return bytes;
}
