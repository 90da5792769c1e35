import { attrInt, attrInts, type Node } from '@espalier/onnx';
import { describe, type Propagation } from '../propagation.js';
import { constantInts } from './layout.js';

const normalize = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Pools act on the axes from 2 on. */
export function pool(node: Node, p: Propagation): void {
  const labels = p.labels.get(node.inputs[0] ?? '');
  if (!labels) return;
  if (labels.axis !== 1) p.lockIds(labels.ids, `${describe(node)} pools over the channel axis`);
  else p.carry(node.outputs[0] ?? '', labels);
}

/** A reduction passes the channels on unless it reduces them. */
export function reduce(node: Node, p: Propagation): void {
  const input = node.inputs[0] ?? '';
  const labels = p.labels.get(input);
  const dims = p.dims(input);
  if (!labels || !dims) return;
  const computed = node.inputs[1] !== undefined && node.inputs[1] !== '';
  const listed = attrInts(node, 'axes') ?? constantInts(p, node.inputs[1]);
  if (computed && !listed) {
    p.lockIds(labels.ids, `${describe(node)} reduces axes that are computed`);
    return;
  }
  const all = dims.map((_, axis) => axis);
  const axes = listed?.length ? listed.map((a) => normalize(a, dims.length)) : all;
  if (axes.includes(labels.axis)) {
    p.lockIds(labels.ids, `${describe(node)} reduces over the channels`);
    return;
  }
  const gone = attrInt(node, 'keepdims', 1) === 1 ? 0 : axes.filter((a) => a < labels.axis).length;
  p.carry(node.outputs[0] ?? '', { axis: labels.axis - gone, ids: labels.ids });
}

/** Softmax and its kin act along one axis, the channels' or another. */
export function alongAxis(node: Node, p: Propagation): void {
  const input = node.inputs[0] ?? '';
  const labels = p.labels.get(input);
  const dims = p.dims(input);
  if (!labels || !dims) return;
  const axis = normalize(attrInt(node, 'axis', p.graph.opset >= 13 ? -1 : 1), dims.length);
  const flattens = p.graph.opset < 13;
  if (axis === labels.axis || (flattens && labels.axis >= axis)) {
    p.lockIds(labels.ids, `${describe(node)} compares the channels with each other`);
  } else p.carry(node.outputs[0] ?? '', labels);
}

/** Pad may not pad the channel axis. */
export function pad(node: Node, p: Propagation): void {
  const input = node.inputs[0] ?? '';
  const labels = p.labels.get(input);
  const rank = p.dims(input)?.length;
  if (!labels || rank === undefined) return;
  const pads = attrInts(node, 'pads') ?? constantInts(p, node.inputs[1]);
  const axes = constantInts(p, node.inputs[3])?.map((a) => normalize(a, rank));
  const at = axes ? axes.indexOf(labels.axis) : labels.axis;
  const half = pads ? pads.length / 2 : 0;
  const touched = !pads || (at >= 0 && ((pads[at] ?? 0) !== 0 || (pads[at + half] ?? 0) !== 0));
  if (touched)
    p.lockIds(labels.ids, `${describe(node)} pads the channels, or by a computed amount`);
  else p.carry(node.outputs[0] ?? '', labels);
}

/** Resize may not scale the channel axis; sizes that count channels are rewritten. */
export function resize(node: Node, p: Propagation): void {
  const input = node.inputs[0] ?? '';
  const output = node.outputs[0] ?? '';
  const labels = p.labels.get(input);
  const outDims = p.dims(output);
  if (!labels) return;
  const sizes = constantInts(p, node.inputs[3]);
  const computed = node.inputs[3] !== undefined && node.inputs[3] !== '' && !sizes;
  if (
    !outDims ||
    outDims[labels.axis] !== labels.ids.length ||
    computed ||
    attrInts(node, 'axes')
  ) {
    p.lockIds(labels.ids, `${describe(node)} scales in a way that cannot be followed`);
    return;
  }
  if (sizes)
    p.rewrites.push({ kind: 'entry', node, input: 3, entry: labels.axis, ids: labels.ids });
  p.carry(output, labels);
}

/** Shape is harmless where only entries other than the channels' are read. */
export function shape(node: Node, p: Propagation): void {
  const labels = p.labels.get(node.inputs[0] ?? '');
  if (!labels) return;
  const start = attrInt(node, 'start', 0);
  const safe = p.graph.consumers(node.outputs[0] ?? '').every((reader) => {
    if (reader.op === 'Gather') {
      const picked = constantInts(p, reader.inputs[1]);
      return picked?.every((at) => at >= 0 && at + start !== labels.axis) ?? false;
    }
    if (reader.op === 'Slice') {
      const from = constantInts(p, reader.inputs[1])?.[0] ?? attrInts(reader, 'starts')?.[0];
      const to = constantInts(p, reader.inputs[2])?.[0] ?? attrInts(reader, 'ends')?.[0];
      if (from === undefined || to === undefined || from < 0) return false;
      return to <= labels.axis || from > labels.axis;
    }
    return false;
  });
  if (!safe) p.lockIds(labels.ids, `${describe(node)} reads the number of channels at run time`);
}
