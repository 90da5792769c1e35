import { attrInt, attrString, hasAttribute } from '../attribute.js';
import { elementCount } from '../tensor.js';
import {
  areKnown,
  axisOf,
  dimAt,
  known,
  shaped,
  strided,
  stridesOf,
  unknown,
  type AbstractTensor,
} from './abstract-tensor.js';
import { listOf, type Rule, type Rules, type Scope } from './rule.js';

const slice: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const { dims } = x;
  if (dims === null) return [shaped(x.dtype, null)];
  const starts = listOf(scope, 'starts', 1);
  const ends = listOf(scope, 'ends', 2);
  const axes = listOf(scope, 'axes', 3) ?? starts?.map((_, index) => index);
  const steps = listOf(scope, 'steps', 4);
  if (starts === undefined || ends === undefined || axes === undefined) {
    return [
      shaped(
        x.dtype,
        dims.map(() => NaN),
      ),
    ];
  }
  const strides = stridesOf(dims);
  const out = [...dims];
  let offset = 0;
  axes.forEach((given, index) => {
    const axis = axisOf(given, dims.length);
    const size = dims[axis] ?? NaN;
    const step = steps?.[index] ?? 1;
    const [low, high] = step > 0 ? [0, size] : [0, size - 1];
    const clamp = (at: number, floor: number, top: number): number =>
      Math.min(Math.max(at < 0 ? at + size : at, floor), top);
    const start = clamp(starts[index] ?? NaN, low, high);
    const end = clamp(ends[index] ?? NaN, step > 0 ? 0 : -1, size);
    out[axis] = Math.max(0, Math.ceil((end - start) / step));
    offset += start * (strides[axis] ?? 0);
    strides[axis] = step * (strides[axis] ?? 0);
  });
  return x.data === undefined || !areKnown(out)
    ? [shaped(x.dtype, out)]
    : [known(x.dtype, out, strided(x.data, out, strides, offset))];
};

const split: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const { dims } = x;
  const count = scope.node.outputs.length;
  if (dims === null) return scope.node.outputs.map(() => shaped(x.dtype, null));
  const axis = axisOf(attrInt(scope.node, 'axis', 0), dims.length);
  const size = dims[axis] ?? NaN;
  const parts = attrInt(scope.node, 'num_outputs', count);
  const even = Math.ceil(size / parts);
  const sizes =
    listOf(scope, 'split', 1) ??
    scope.node.outputs.map((_, index) => Math.min(even, size - even * index));
  const strides = stridesOf(dims);
  let offset = 0;
  return scope.node.outputs.map((_, index) => {
    const out = dims.with(axis, sizes[index] ?? NaN);
    const start = offset * (strides[axis] ?? 0);
    offset += sizes[index] ?? NaN;
    return x.data === undefined || !areKnown(out)
      ? shaped(x.dtype, out)
      : known(x.dtype, out, strided(x.data, out, strides, start));
  });
};

const concat: Rule = (scope) => {
  const inputs = scope.node.inputs.map((_, index) => scope.input(index) ?? unknown());
  const dtype = inputs[0]?.dtype ?? 'undefined';
  const ranked = inputs.find((input) => input.dims !== null)?.dims ?? null;
  if (ranked === null) return [shaped(dtype, null)];
  const axis = axisOf(attrInt(scope.node, 'axis', 0), ranked.length);
  const dims = ranked.map((_, at) => {
    const sizes = inputs.map((input) => input.dims?.[at] ?? NaN);
    return at === axis
      ? sizes.reduce((a, b) => a + b, 0)
      : (sizes.find((size) => !Number.isNaN(size)) ?? NaN);
  });
  return [joined(scope, dtype, dims, inputs)];
};

/** Joins along the first axis, the only case that shape arithmetic needs. */
function joined(
  scope: Scope,
  dtype: AbstractTensor['dtype'],
  dims: readonly number[],
  inputs: readonly AbstractTensor[],
): AbstractTensor {
  if (dims.length !== 1 || elementCount(dims) > scope.maxElements) return shaped(dtype, dims);
  const size = dims[0] ?? NaN;
  if (Number.isNaN(size) || inputs.every(({ data }) => data === undefined)) {
    return shaped(dtype, dims);
  }
  const out = new Float64Array(size).fill(NaN);
  let offset = 0;
  for (const { data, dims: own } of inputs) {
    if (data !== undefined) out.set(data, offset);
    offset += own?.[0] ?? 0;
  }
  return known(dtype, dims, out);
}

const gather: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const indices = scope.input(1) ?? unknown();
  if (x.dims === null || indices.dims === null) return [shaped(x.dtype, null)];
  const axis = axisOf(attrInt(scope.node, 'axis', 0), x.dims.length);
  const dims = x.dims.toSpliced(axis, 1, ...indices.dims);
  const { data } = x;
  if (data === undefined || indices.data === undefined || !areKnown(indices.data)) {
    return [shaped(x.dtype, dims)];
  }
  if (!areKnown(dims) || elementCount(dims) > scope.maxElements) return [shaped(x.dtype, dims)];
  const size = x.dims[axis] ?? NaN;
  const inner = elementCount(x.dims.slice(axis + 1));
  const out: number[] = [];
  for (let outer = 0; outer < elementCount(x.dims.slice(0, axis)); outer++) {
    for (const index of indices.data) {
      const from = (outer * size + axisOf(index, size)) * inner;
      for (let i = 0; i < inner; i++) out.push(data[from + i] ?? NaN);
    }
  }
  return [known(x.dtype, dims, out)];
};

const gatherElements: Rule = (scope) => [
  shaped(scope.input(0)?.dtype ?? 'undefined', scope.input(1)?.dims ?? null),
];

const gatherND: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const indices = scope.input(1)?.dims ?? null;
  if (x.dims === null || indices === null) return [shaped(x.dtype, null)];
  const depth = dimAt(indices, -1);
  if (Number.isNaN(depth)) return [shaped(x.dtype, null)];
  const batch = attrInt(scope.node, 'batch_dims', 0);
  return [shaped(x.dtype, [...indices.slice(0, -1), ...x.dims.slice(batch + depth)])];
};

const pad: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  if (x.dims === null) return [shaped(x.dtype, null)];
  const rank = x.dims.length;
  const pads = listOf(scope, 'pads', 1);
  const given = scope.input(3);
  const axes = given === undefined ? x.dims.map((_, axis) => axis) : Array.from(given.data ?? []);
  if (pads === undefined || axes.length * 2 !== pads.length) {
    return [
      shaped(
        x.dtype,
        x.dims.map(() => NaN),
      ),
    ];
  }
  const dims = [...x.dims];
  axes.forEach((axis, index) => {
    const at = axisOf(axis, rank);
    dims[at] = (dims[at] ?? NaN) + (pads[index] ?? NaN) + (pads[index + axes.length] ?? NaN);
  });
  return [shaped(x.dtype, dims)];
};

const resize: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const { dims } = x;
  if (dims === null) return [shaped(x.dtype, null)];
  const { node } = scope;
  const first = node.op === 'Upsample' || scope.opset < 11 ? 1 : 2;
  const axes = (listOf(scope, 'axes', -1) ?? dims.map((_, axis) => axis)).map((axis) =>
    axisOf(axis, dims.length),
  );
  const sizes = scope.input(first + 1)?.data;
  const scales = scope.input(first)?.data;
  const out = [...dims];
  if (sizes !== undefined && sizes.length > 0) {
    const policy = attrString(node, 'keep_aspect_ratio_policy', 'stretch');
    const ratios = axes.map((axis, index) => (sizes[index] ?? NaN) / (dims[axis] ?? NaN));
    const ratio = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
    axes.forEach((axis, index) => {
      out[axis] =
        policy === 'stretch' ? (sizes[index] ?? NaN) : Math.round(ratio * (dims[axis] ?? NaN));
    });
  } else {
    axes.forEach((axis, index) => {
      out[axis] = Math.floor(Math.fround((dims[axis] ?? NaN) * (scales?.[index] ?? NaN)));
    });
  }
  return [shaped(x.dtype, out)];
};

const topK: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  if (x.dims === null) return [shaped(x.dtype, null), shaped('int64', null)];
  const axis = axisOf(attrInt(scope.node, 'axis', -1), x.dims.length);
  const count = hasAttribute(scope.node, 'k')
    ? attrInt(scope.node, 'k', 0)
    : (scope.input(1)?.data?.[0] ?? NaN);
  const dims = x.dims.with(axis, count);
  return [shaped(x.dtype, dims), shaped('int64', dims)];
};

export const selectionRules: Rules = {
  Slice: slice,
  Split: split,
  Concat: concat,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  Pad: pad,
  Resize: resize,
  Upsample: resize,
  TopK: topK,
};
