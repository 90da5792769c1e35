import { attrFloat, attrInt, type Graph, type Node, type ShapeMap } from '@espalier/onnx';
import type { LinearLayer } from '../channels/labels.js';

/** A layer, and how its weights lie. */
export interface LayerDraft extends LinearLayer {
  /** Axis of the weights that counts outputs. */
  readonly outputAxis: number;
  /** Channels that it gives. */
  readonly outputs: number;
  /** Channels that it reads, of all groups. */
  readonly inputs: number;
}

const LAYERS = new Set(['Conv', 'Gemm', 'MatMul']);

/** A layer with constant float32 weights that an integer kernel can take over. */
export function layerOf(graph: Graph, shapes: ShapeMap, node: Node): LayerDraft | undefined {
  if (!LAYERS.has(node.op) || node.domain !== '') return undefined;
  const [input = '', weight = '', biasName = ''] = node.inputs;
  const output = node.outputs[0] ?? '';
  const tensor = graph.constant(weight);
  const bias = biasName === '' ? undefined : graph.constant(biasName);
  const dims = tensor?.dims ?? [];
  if (tensor?.dtype !== 'float32' || graph.constant(input) || (biasName !== '' && !bias))
    return undefined;
  const kind = node.op === 'Conv' ? 'conv' : node.op === 'Gemm' ? 'gemm' : 'matmul';
  if (kind === 'conv' ? dims.length < 3 : dims.length !== 2) return undefined;
  if (kind === 'gemm') {
    const plain = attrFloat(node, 'alpha', 1) === 1 && attrFloat(node, 'beta', 1) === 1;
    if (!plain || attrInt(node, 'transA', 0) === 1) return undefined;
  }
  const outputAxis = kind === 'conv' || attrInt(node, 'transB', 0) === 1 ? 0 : 1;
  const outputs = dims[outputAxis] ?? 0;
  if (bias && (bias.dtype !== 'float32' || bias.data.length !== outputs)) return undefined;
  const group = attrInt(node, 'group', 1);
  const inDims = shapes.get(input)?.dims ?? [];
  const outDims = shapes.get(output)?.dims ?? [];
  const positions = kind === 'conv' ? outDims.slice(2) : inDims.slice(1, -1);
  return {
    node,
    kind,
    input,
    output,
    weight,
    bias: biasName === '' ? undefined : biasName,
    group,
    depthwise: group > 1 && dims[1] === 1,
    inputIds: undefined,
    outputIds: new Int32Array(outputs),
    positions: positions.reduce((a, b) => a * b, 1),
    outputAxis,
    outputs,
    inputs: kind === 'conv' ? (dims[1] ?? 0) * group : (dims[1 - outputAxis] ?? 0),
  };
}
