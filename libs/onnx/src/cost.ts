import { graphOf, type Graph } from './graph.js';
import { writeModel, type Model } from './model.js';
import type { Node } from './node.js';
import { inferShapes, type ShapeMap } from './shape-inference/infer.js';
import { elementCount } from './tensor.js';

export interface NodeCost {
  readonly op: string;
  readonly macs: number;
  /** Elements of the constants that the node is the first to read. */
  readonly params: number;
}

export interface ModelCost {
  /** Elements of every constant of rank 1 or more, quantization scales and zero points left out. */
  readonly params: number;
  /** Multiply-accumulates of Conv, ConvTranspose, Gemm and MatMul, quantized forms included. */
  readonly macs: number;
  /** Size of the file. */
  readonly bytes: number;
  /** By `Node.key`. */
  readonly perNode: ReadonlyMap<string, NodeCost>;
}

/**
 * Count a model's parameters and its multiply-accumulates at a batch size (1 by default).
 *
 * A parameter is an element of an initialiser or Constant that some node reads, whatever its type;
 * scalars (bounds of a Clip, an epsilon) are settings and not counted, nor is what only scales a
 * quantized value. A product whose shapes cannot be inferred counts no multiply-accumulates.
 */
export function countModel(model: Model, options: { batch?: number } = {}): ModelCost {
  const graph = graphOf(model);
  const shapes = inferShapes(model, options);
  const params = paramsByNode(graph);
  const perNode = new Map(
    graph.nodes.map((node): [string, NodeCost] => [
      node.key,
      { op: node.op, macs: nodeMacs(node, shapes), params: params.get(node) ?? 0 },
    ]),
  );
  const total = (of: (cost: NodeCost) => number): number =>
    [...perNode.values()].reduce((sum, cost) => sum + of(cost), 0);
  return {
    params: total((cost) => cost.params),
    macs: total((cost) => cost.macs),
    get bytes() {
      return writeModel(model).length;
    },
    perNode,
  };
}

const WEIGHT_INPUT: Readonly<Record<string, number>> = {
  Conv: 1,
  FusedConv: 1,
  ConvInteger: 1,
  QLinearConv: 3,
};

/** Multiply-accumulates of one node for given shapes; 0 for other operators and unknown shapes. */
export function nodeMacs(node: Node, shapes: ShapeMap): number {
  const dims = (name: string | undefined): number[] | undefined =>
    shapes.get(name ?? '')?.dims ?? undefined;
  const output = dims(node.outputs[0]);
  const first = dims(node.inputs[0]);
  if (output === undefined || first === undefined) return 0;
  switch (node.op) {
    case 'Conv':
    case 'FusedConv':
    case 'ConvInteger':
    case 'QLinearConv': {
      const weight = dims(node.inputs[WEIGHT_INPUT[node.op] ?? 1]);
      return weight === undefined ? 0 : elementCount(output) * elementCount(weight.slice(1));
    }
    case 'ConvTranspose': {
      const weight = dims(node.inputs[1]);
      return weight === undefined ? 0 : elementCount(first) * elementCount(weight.slice(1));
    }
    case 'Gemm':
      return elementCount(output) * (elementCount(first) / (output[0] || 1));
    case 'MatMul':
    case 'MatMulInteger':
    case 'QLinearMatMul':
    case 'FusedMatMul':
      return elementCount(output) * (first.at(-1) ?? 0);
    default:
      return 0;
  }
}

/** Inputs that only say how another input is quantized. */
function isQuantizationSetting(op: string, index: number): boolean {
  switch (op) {
    case 'QuantizeLinear':
    case 'DequantizeLinear':
      return index > 0;
    case 'QLinearConv':
    case 'QLinearMatMul':
      return index !== 0 && index !== 3 && index !== 8;
    case 'ConvInteger':
    case 'MatMulInteger':
      return index > 1;
    default:
      return false;
  }
}

function paramsByNode(graph: Graph): Map<Node, number> {
  const params = new Map<Node, number>();
  const seen = new Set<string>();
  for (const node of graph.nodes) {
    const read = [
      ...node.inputs.filter((_, index) => !isQuantizationSetting(node.op, index)),
      ...node.captures,
    ];
    for (const name of read) {
      if (name === '' || seen.has(name)) continue;
      const dims = graph.constant(name)?.dims ?? [];
      if (dims.length === 0) continue;
      seen.add(name);
      const owner =
        node.op === 'DequantizeLinear' ? graph.consumers(node.outputs[0] ?? '')[0] : node;
      params.set(owner ?? node, (params.get(owner ?? node) ?? 0) + elementCount(dims));
    }
  }
  return params;
}
