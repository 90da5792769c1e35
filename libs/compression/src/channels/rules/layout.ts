import { attrInt, attrInts, type Node } from '@espalier/onnx';
import type { AxisIds } from '../labels.js';
import { describe, type Propagation } from '../propagation.js';

const normalize = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Integers of a constant input, or undefined when it is computed or absent. */
export function constantInts(p: Propagation, tensor: string | undefined): number[] | undefined {
  const constant = tensor === undefined || tensor === '' ? undefined : p.graph.constant(tensor);
  return constant ? Array.from(constant.data as ArrayLike<number | bigint>, Number) : undefined;
}

/** Transpose moves the channel axis. */
export function transpose(node: Node, p: Propagation): void {
  const labels = p.labels.get(node.inputs[0] ?? '');
  const dims = p.dims(node.inputs[0] ?? '');
  if (!labels || !dims) return;
  const perm = attrInts(node, 'perm') ?? dims.map((_, i) => dims.length - 1 - i);
  const axis = perm.indexOf(labels.axis);
  if (axis < 0) p.lockIds(labels.ids, `${describe(node)} drops the channel axis`);
  else p.carry(node.outputs[0] ?? '', { axis, ids: labels.ids });
}

/** Positions that a reshape may spread channels over: far more than any layer has inputs. */
const MOST_POSITIONS = 2 ** 22;

/**
 * Reshape, Flatten, Squeeze and Unsqueeze. The axes that merge or split with the channel axis are
 * found by equal running products. Where channels spread over several axes of the output (a
 * shuffle's groups), all but the last are tied, so that what remains is rectangular.
 */
export function reshape(node: Node, p: Propagation): void {
  const input = node.inputs[0] ?? '';
  const output = node.outputs[0] ?? '';
  const labels = p.labels.get(input);
  if (!labels) return;
  const from = p.dims(input);
  const to = p.dims(output);
  const span = from && to ? matchedSpan(from, to, labels.axis) : undefined;
  if (!from || !to || !span) {
    p.lockIds(labels.ids, `${describe(node)} moves channels in a way that cannot be followed`);
    return;
  }
  const merged = from.slice(span.in[0], span.in[1]);
  if (merged.reduce((x, y) => x * y, 1) > MOST_POSITIONS) {
    p.lockIds(labels.ids, `${describe(node)} spreads channels over too many positions to follow`);
    return;
  }
  const spread = expand(merged, labels.axis - span.in[0], labels.ids);
  const outDims = to.slice(span.out[0], span.out[1]);
  const axis = lastVaryingAxis(outDims, spread);
  if (axis === undefined) {
    p.lockIds(labels.ids, `${describe(node)} leaves no axis to cut`);
    return;
  }
  const carried = collapse(outDims, axis, spread, p);
  const ids = { axis: axis + span.out[0], ids: carried };
  if (node.op === 'Reshape' && !rewriteShape(node, from, labels, ids, p)) {
    p.lockIds(labels.ids, `${describe(node)} has a shape that is computed at run time`);
  }
  if (node.op === 'Flatten' && labels.axis < attrInt(node, 'axis', 1)) {
    p.lockIds(labels.ids, `${describe(node)} folds channels into the batch`);
  }
  p.carry(output, ids);
}

/** The smallest aligned runs of axes that hold `axis` and have the same number of elements. */
function matchedSpan(
  from: readonly number[],
  to: readonly number[],
  axis: number,
): { in: [number, number]; out: [number, number] } | undefined {
  let [i, j] = [0, 0];
  while (i < from.length) {
    const start: [number, number] = [i, j];
    let a = from[i++] ?? 1;
    let b = j < to.length ? (to[j++] ?? 1) : 1;
    while (a !== b) {
      if (a < b && i < from.length) a *= from[i++] ?? 1;
      else if (b < a && j < to.length) b *= to[j++] ?? 1;
      else return undefined;
    }
    if (axis >= start[0] && axis < i) return { in: [start[0], i], out: [start[1], j] };
  }
  return undefined;
}

function expand(dims: readonly number[], axis: number, ids: Int32Array): Int32Array {
  const inner = dims.slice(axis + 1).reduce((x, y) => x * y, 1);
  const total = dims.reduce((x, y) => x * y, 1);
  return Int32Array.from(
    { length: total },
    (_, at) => ids[Math.floor(at / inner) % ids.length] ?? 0,
  );
}

function lastVaryingAxis(dims: readonly number[], spread: Int32Array): number | undefined {
  let inner = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    const size = dims[axis] ?? 1;
    for (let at = 0; at + inner < spread.length; at++) {
      if (Math.floor(at / inner) % size < size - 1 && spread[at] !== spread[at + inner])
        return axis;
    }
    inner *= size;
  }
  return undefined;
}

/** Ids along one axis, all other axes tied to it. */
function collapse(
  dims: readonly number[],
  axis: number,
  spread: Int32Array,
  p: Propagation,
): Int32Array {
  const size = dims[axis] ?? 1;
  const inner = dims.slice(axis + 1).reduce((x, y) => x * y, 1);
  const ids = new Int32Array(size).fill(-1);
  spread.forEach((id, at) => {
    const position = Math.floor(at / inner) % size;
    const first = ids[position] ?? -1;
    if (first < 0) ids[position] = id;
    else p.sets.union(first, id);
  });
  return ids;
}

/** Notes the entry of the shape that counts channels; false when it cannot be rewritten. */
function rewriteShape(
  node: Node,
  from: readonly number[],
  before: AxisIds,
  after: AxisIds,
  p: Propagation,
): boolean {
  const shape = node.inputs[1] ?? '';
  const whole = constantInts(p, shape);
  if (whole) return noteEntry(node, 1, whole, after.axis, after.ids, before, from, p);
  const concat = p.graph.producer(shape);
  if (concat?.op !== 'Concat') return false;
  let at = 0;
  for (let index = 0; index < concat.inputs.length; index++) {
    const piece = concat.inputs[index] ?? '';
    const length = p.dims(piece)?.[0];
    if (length === undefined) return false;
    if (after.axis < at + length) {
      const values = constantInts(p, piece);
      return (
        values !== undefined &&
        noteEntry(concat, index, values, after.axis - at, after.ids, before, from, p)
      );
    }
    at += length;
  }
  return false;
}

function noteEntry(
  node: Node,
  input: number,
  values: number[],
  entry: number,
  ids: Int32Array,
  before: AxisIds,
  from: readonly number[],
  p: Propagation,
): boolean {
  // prettier-ignore
  const value = values[entry];
  if (value === undefined) return false;
  if (value === -1) return true;
  if (value === 0) return entry === before.axis && from[entry] === ids.length;
  p.rewrites.push({ kind: 'entry', node, input, entry, ids });
  return true;
}

/** Concat joins the channel axis end to end, or ties what lies side by side on another axis. */
export function concat(node: Node, p: Propagation): void {
  const output = node.outputs[0] ?? '';
  const outDims = p.dims(output);
  const labelled = node.inputs.map((name) => p.labels.get(name));
  const first = labelled.find((labels) => labels !== undefined);
  if (!first) return;
  const known = node.inputs.map((name) => p.dims(name));
  if (!outDims || known.some((dims) => !dims)) {
    p.lockInputs(node, `${describe(node)} has an unknown shape`);
    return;
  }
  const axis = normalize(attrInt(node, 'axis', 0), outDims.length);
  if (labelled.some((labels) => labels && labels.axis !== first.axis)) {
    p.lockInputs(node, `${describe(node)} joins tensors with channels on different axes`);
    return;
  }
  if (axis !== first.axis) {
    labelled.forEach((labels) => {
      if (labels) p.tie(first.ids, labels.ids);
      else p.lockIds(first.ids, `${describe(node)} joins a tensor whose channels cannot be cut`);
    });
    p.carry(output, first);
    return;
  }
  if ((outDims[axis] ?? 0) > MOST_POSITIONS) {
    p.lockInputs(node, `${describe(node)} joins more channels than can be followed`);
    return;
  }
  const joined: number[] = [];
  node.inputs.forEach((name, index) => {
    const labels = labelled[index];
    if (labels) for (const id of labels.ids) joined.push(id);
    else {
      for (let i = 0; i < (known[index]?.[axis] ?? 0); i++) {
        const id = p.sets.create();
        p.origins.push({ tensor: name, axis, position: i });
        p.sets.lock(id, `"${name}" is not made by a layer that can be cut`);
        joined.push(id);
      }
    }
  });
  p.carry(output, { axis, ids: Int32Array.from(joined) });
}

/** Split along the channel axis hands each part its ids; along another it passes them on. */
export function split(node: Node, p: Propagation): void {
  const labels = p.labels.get(node.inputs[0] ?? '');
  const dims = p.dims(node.inputs[0] ?? '');
  if (!labels || !dims) return;
  if (normalize(attrInt(node, 'axis', 0), dims.length) !== labels.axis) {
    for (const output of node.outputs) p.carry(output, labels);
    return;
  }
  const parts: Int32Array[] = [];
  let at = 0;
  for (const output of node.outputs) {
    const size = p.dims(output)?.[labels.axis];
    if (size === undefined) {
      p.lockIds(labels.ids, `${describe(node)} has an unknown shape`);
      return;
    }
    parts.push(labels.ids.subarray(at, at + size));
    at += size;
  }
  node.outputs.forEach((output, i) =>
    p.carry(output, { axis: labels.axis, ids: parts[i] ?? new Int32Array() }),
  );
  p.rewrites.push({ kind: 'split', node, parts });
}

/** Slice along the channel axis with constant bounds and step 1 takes a range of ids. */
export function slice(node: Node, p: Propagation): void {
  const input = node.inputs[0] ?? '';
  const labels = p.labels.get(input);
  const dims = p.dims(input);
  if (!labels || !dims) return;
  const starts = attrInts(node, 'starts') ?? constantInts(p, node.inputs[1]);
  const ends = attrInts(node, 'ends') ?? constantInts(p, node.inputs[2]);
  const axes =
    attrInts(node, 'axes') ?? constantInts(p, node.inputs[3]) ?? starts?.map((_, i) => i);
  const steps = constantInts(p, node.inputs[4]) ?? starts?.map(() => 1);
  const entry = axes?.findIndex((axis) => normalize(axis, dims.length) === labels.axis);
  const output = node.outputs[0] ?? '';
  if (!starts || !ends || entry === undefined || (entry >= 0 && steps?.[entry] !== 1)) {
    p.lockIds(labels.ids, `${describe(node)} has bounds that are computed or a step`);
    return;
  }
  if (entry < 0) {
    p.carry(output, labels);
    return;
  }
  const size = labels.ids.length;
  const clamp = (value: number): number => Math.min(Math.max(normalize(value, size), 0), size);
  const [start, end] = [clamp(starts[entry] ?? 0), clamp(ends[entry] ?? size)];
  p.rewrites.push({ kind: 'slice', node, ids: labels.ids, start, end, entry });
  p.carry(output, { axis: labels.axis, ids: labels.ids.subarray(start, end) });
}

/** Gather with constant indices along the channel axis picks ids. */
export function gather(node: Node, p: Propagation): void {
  const labels = p.labels.get(node.inputs[0] ?? '');
  const dims = p.dims(node.inputs[0] ?? '');
  if (!labels || !dims) return;
  const indices = constantInts(p, node.inputs[1]);
  const indexDims = p.dims(node.inputs[1] ?? '');
  const axis = normalize(attrInt(node, 'axis', 0), dims.length);
  if (axis !== labels.axis || !indices || indexDims?.length !== 1) {
    p.lockIds(labels.ids, `${describe(node)} picks in a way that cannot be followed`);
    return;
  }
  const ids = Int32Array.from(indices, (at) => labels.ids[normalize(at, labels.ids.length)] ?? 0);
  p.rewrites.push({ kind: 'gather', node, ids: labels.ids, picked: ids });
  p.carry(node.outputs[0] ?? '', { axis, ids });
}
