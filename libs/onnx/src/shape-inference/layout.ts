import { attrInt, attrInts } from '../attribute.js';
import { elementCount } from '../tensor.js';
import {
  areKnown,
  axisOf,
  broadcast,
  broadcastStrides,
  known,
  ofRank,
  shaped,
  strided,
  stridesOf,
  unknown,
  type AbstractTensor,
} from './abstract-tensor.js';
import { hasInput, listOf, type Rule, type Rules, type Scope } from './rule.js';

/** The same elements in another shape. */
function reshaped(x: AbstractTensor, dims: readonly number[] | null): AbstractTensor {
  return x.data !== undefined && dims !== null && areKnown(dims)
    ? { dtype: x.dtype, dims, data: x.data }
    : shaped(x.dtype, dims);
}

const reshape: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const shape = scope.input(1);
  if (shape?.data === undefined) {
    const rank = shape?.dims?.[0] ?? NaN;
    return [ofRank(x.dtype, rank)];
  }
  const copies = attrInt(scope.node, 'allowzero', 0) === 0;
  const wanted = Array.from(shape.data);
  const dims = wanted.map((dim, axis) => (dim === 0 && copies ? (x.dims?.[axis] ?? NaN) : dim));
  const open = dims.indexOf(-1);
  if (open >= 0) {
    // Dimensions that are copied cancel out, so that an unknown batch does not hide the rest.
    const copied = (axis: number): boolean => copies && wanted[axis] === 0;
    const total = (x.dims ?? [NaN]).reduce((p, dim, axis) => (copied(axis) ? p : p * dim), 1);
    const rest = dims.reduce((p, dim, axis) => (axis === open || copied(axis) ? p : p * dim), 1);
    dims[open] = total / rest;
  }
  return [reshaped(x, dims)];
};

const flatten: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  if (x.dims === null) return [shaped(x.dtype, [NaN, NaN])];
  const axis = axisOf(attrInt(scope.node, 'axis', 1), x.dims.length);
  return [reshaped(x, [elementCount(x.dims.slice(0, axis)), elementCount(x.dims.slice(axis))])];
};

const transpose: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const { dims } = x;
  if (dims === null) return [shaped(x.dtype, null)];
  const order = attrInts(scope.node, 'perm') ?? dims.map((_, axis) => dims.length - 1 - axis);
  const moved = order.map((axis) => dims[axis] ?? NaN);
  if (x.data === undefined) return [shaped(x.dtype, moved)];
  const strides = stridesOf(dims);
  return [
    known(
      x.dtype,
      moved,
      strided(
        x.data,
        moved,
        order.map((axis) => strides[axis] ?? 0),
      ),
    ),
  ];
};

const squeeze: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const { dims } = x;
  const axes = listOf(scope, 'axes', 1);
  if (dims === null || (axes === undefined && hasInput(scope, 1))) return [shaped(x.dtype, null)];
  if (axes === undefined && dims.some(Number.isNaN)) return [shaped(x.dtype, null)];
  const gone = new Set(axes?.map((axis) => axisOf(axis, dims.length)));
  const kept = dims.filter((dim, axis) => (axes === undefined ? dim !== 1 : !gone.has(axis)));
  return [reshaped(x, kept)];
};

const unsqueeze: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const axes = listOf(scope, 'axes', 1);
  if (x.dims === null || axes === undefined) return [shaped(x.dtype, null)];
  const rank = x.dims.length + axes.length;
  const added = new Set(axes.map((axis) => axisOf(axis, rank)));
  const rest = x.dims.values();
  const dims = Array.from({ length: rank }, (_, axis) =>
    added.has(axis) ? 1 : (rest.next().value ?? NaN),
  );
  return [reshaped(x, dims)];
};

function spread(scope: Scope, x: AbstractTensor, dims: readonly number[] | null): AbstractTensor {
  if (dims === null || x.dims === null || x.data === undefined || !areKnown(dims)) {
    return shaped(x.dtype, dims);
  }
  return elementCount(dims) > scope.maxElements
    ? shaped(x.dtype, dims)
    : known(x.dtype, dims, strided(x.data, dims, broadcastStrides(x.dims, dims)));
}

const expand: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const shape = scope.input(1)?.data;
  return [spread(scope, x, shape === undefined ? null : broadcast([x.dims, Array.from(shape)]))];
};

const tile: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const repeats = scope.input(1)?.data;
  return [shaped(x.dtype, x.dims?.map((dim, axis) => dim * (repeats?.[axis] ?? NaN)) ?? null)];
};

const depthToSpace: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  if (x.dims === null) return [shaped(x.dtype, null)];
  const block = attrInt(scope.node, 'blocksize', 1);
  const [n = NaN, c = NaN, h = NaN, w = NaN] = x.dims;
  return [shaped(x.dtype, [n, Math.floor(c / (block * block)), h * block, w * block])];
};

const spaceToDepth: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  if (x.dims === null) return [shaped(x.dtype, null)];
  const block = attrInt(scope.node, 'blocksize', 1);
  const [n = NaN, c = NaN, h = NaN, w = NaN] = x.dims;
  return [shaped(x.dtype, [n, c * block * block, Math.floor(h / block), Math.floor(w / block)])];
};

const oneHot: Rule = (scope) => {
  const indices = scope.input(0)?.dims ?? null;
  const dtype = scope.input(2)?.dtype ?? 'undefined';
  if (indices === null) return [shaped(dtype, null)];
  const axis = axisOf(attrInt(scope.node, 'axis', -1), indices.length + 1);
  return [shaped(dtype, indices.toSpliced(axis, 0, scope.input(1)?.data?.[0] ?? NaN))];
};

export const layoutRules: Rules = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  OneHot: oneHot,
};
