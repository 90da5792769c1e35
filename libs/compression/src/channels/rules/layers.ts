import { attrInt, type Node } from '@espalier/onnx';
import type { AxisIds, LinearLayer } from '../labels.js';
import { describe, type Propagation } from '../propagation.js';

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Joins ids one group apart, so that every group keeps as many channels as the next. */
function tieAcrossGroups(ids: Int32Array, groups: number, p: Propagation): void {
  const size = ids.length / groups;
  for (let g = 1; g < groups; g++) {
    p.tie(ids.subarray(0, size), ids.subarray(g * size, (g + 1) * size));
  }
}

/** Conv and ConvTranspose: plain, grouped and depthwise. Channels are axis 1. */
export function convolution(node: Node, p: Propagation): void {
  const transposed = node.op === 'ConvTranspose';
  const [input = '', weight = '', bias] = node.inputs;
  const output = node.outputs[0] ?? '';
  const [first, second] = p.graph.constant(weight)?.dims ?? [];
  const inDims = p.dims(input);
  const outDims = p.dims(output);
  if (first === undefined || second === undefined || !inDims || !outDims) {
    p.lockInputs(node, `${describe(node)} has weights or shapes that are computed`);
    return;
  }
  const group = attrInt(node, 'group', 1);
  const inChannels = transposed ? first : second * group;
  const outChannels = transposed ? second * group : first;
  if (group < 1 || inChannels % group !== 0 || outChannels % group !== 0) {
    p.lockInputs(node, `${describe(node)} has weights that do not fit its groups`);
    return;
  }
  const labels = channelInput(node, input, p);
  if (labels && labels.ids.length !== inChannels) {
    p.lockIds(labels.ids, `${describe(node)} has weights that do not fit its input`);
    return;
  }
  const layer = {
    node,
    kind: transposed ? 'conv-transpose' : 'conv',
    input,
    output,
    weight,
    bias: bias === '' ? undefined : bias,
    group,
    depthwise: group > 1 && group === inChannels,
    positions: product((transposed ? inDims : outDims).slice(2)),
  } as const;

  if (layer.depthwise) {
    const outputIds = depthwise(node, output, outChannels / group, labels, p);
    p.slice(node, 1, 0, transposed ? (labels?.ids ?? outputIds) : outputIds);
    p.slice(node, 2, 0, outputIds);
    if (labels) p.rewrites.push({ kind: 'group', node, ids: labels.ids });
    p.layers.push({ ...layer, inputIds: undefined, outputIds });
    return;
  }

  const out = p.fresh(output, 1, outChannels).ids;
  if (group > 1) {
    tieAcrossGroups(out, group, p);
    if (labels) tieAcrossGroups(labels.ids, group, p);
  }
  const inputIds = labels?.ids.subarray(0, transposed ? inChannels : inChannels / group);
  const outputIds = transposed ? out.subarray(0, outChannels / group) : out;
  p.slice(node, 1, transposed ? 1 : 0, outputIds);
  if (inputIds) p.slice(node, 1, transposed ? 0 : 1, inputIds);
  p.slice(node, 2, 0, out);
  p.layers.push({ ...layer, inputIds, outputIds: out });
}

function channelInput(node: Node, input: string, p: Propagation): AxisIds | undefined {
  const labels = p.labels.get(input);
  if (labels && labels.axis !== 1) {
    p.lockIds(labels.ids, `${describe(node)} slides over the channel axis`);
    return undefined;
  }
  return labels;
}

/** A depthwise layer keeps its input's channels: each output is tied to the input it is made from. */
function depthwise(
  node: Node,
  output: string,
  multiplier: number,
  labels: AxisIds | undefined,
  p: Propagation,
): Int32Array {
  if (labels && multiplier === 1) {
    p.carry(output, labels);
    return labels.ids;
  }
  const fresh = p.fresh(output, 1, (labels?.ids.length ?? attrInt(node, 'group', 1)) * multiplier);
  if (!labels) p.lockIds(fresh.ids, `${describe(node)} is depthwise over an input that is not cut`);
  else
    p.tie(
      fresh.ids,
      Int32Array.from(fresh.ids, (_, i) => labels.ids[Math.floor(i / multiplier)] ?? 0),
    );
  return fresh.ids;
}

/** Gemm with constant weights: [rows, channels] times [channels, outputs]. */
export function gemm(node: Node, p: Propagation): void {
  const [input = '', weight = '', bias = ''] = node.inputs;
  const output = node.outputs[0] ?? '';
  const dims = p.graph.constant(weight)?.dims;
  const labels = p.labels.get(input);
  if (dims?.length !== 2 || attrInt(node, 'transA', 0) === 1) {
    p.lockInputs(node, `${describe(node)} has computed weights or a transposed input`);
    return;
  }
  const inAxis = attrInt(node, 'transB', 0) === 1 ? 1 : 0;
  if (labels && labels.axis !== 1) {
    p.lockIds(labels.ids, `${describe(node)} multiplies another axis than the channels`);
  }
  const inputIds = labels?.axis === 1 ? labels.ids : undefined;
  const out = p.fresh(output, 1, dims[1 - inAxis] ?? 0).ids;
  p.slice(node, 1, 1 - inAxis, out);
  if (inputIds) p.slice(node, 1, inAxis, inputIds);
  const biasDims = p.dims(bias);
  if (bias !== '' && biasDims && biasDims[biasDims.length - 1] === out.length) {
    if (p.graph.constant(bias) && product(biasDims) === out.length) {
      p.slice(node, 2, biasDims.length - 1, out);
    } else p.lockIds(out, `${describe(node)} has a computed bias`);
  }
  p.layers.push({
    node, kind: 'gemm', input, output, weight, bias: bias === '' ? undefined : bias, group: 1,
    depthwise: false, inputIds, outputIds: out, positions: 1,
  }); // prettier-ignore
}

/** MatMul by a constant matrix; between activations it locks both. */
export function matmul(node: Node, p: Propagation): void {
  const [input = '', weight = ''] = node.inputs;
  const output = node.outputs[0] ?? '';
  const dims = p.graph.constant(weight)?.dims;
  const inDims = p.dims(input);
  if (dims?.length !== 2 || !inDims || inDims.length < 2) {
    p.lockInputs(node, `${describe(node)} multiplies two activations`);
    return;
  }
  const last = inDims.length - 1;
  const labels = p.labels.get(input);
  if (labels && labels.axis !== last) {
    p.lockIds(labels.ids, `${describe(node)} multiplies another axis than the channels`);
  }
  const inputIds = labels?.axis === last ? labels.ids : undefined;
  const out = p.fresh(output, last, dims[1] ?? 0).ids;
  p.slice(node, 1, 1, out);
  if (inputIds) p.slice(node, 1, 0, inputIds);
  const layer: LinearLayer = {
    node, kind: 'matmul', input, output, weight, bias: undefined, group: 1,
    depthwise: false, inputIds, outputIds: out, positions: product(inDims.slice(1, -1)),
  }; // prettier-ignore
  p.layers.push(layer);
}

/** BatchNormalization and InstanceNormalization: parameters follow axis 1. */
export function channelNormalization(node: Node, p: Propagation): void {
  const [input = ''] = node.inputs;
  const labels = channelInput(node, input, p);
  if (!labels) return;
  for (let index = 1; index < node.inputs.length; index++) {
    if (p.graph.constant(node.inputs[index] ?? '')) p.slice(node, index, 0, labels.ids);
    else p.lockIds(labels.ids, `${describe(node)} has computed parameters`);
  }
  p.carry(node.outputs[0] ?? '', labels);
}
