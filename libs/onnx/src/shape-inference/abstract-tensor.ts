import type { DType } from '../dtype.js';
import { elementCount } from '../tensor.js';

/**
 * What is known of a value before it is computed. NaN is a dimension or an element that is not
 * known: arithmetic carries it on by itself.
 */
export interface AbstractTensor {
  readonly dtype: DType;
  /** null when not even the rank is known. */
  readonly dims: readonly number[] | null;
  /** The elements, where they are known and few enough. */
  readonly data?: Float64Array | undefined;
}

/** A value whose elements are not known. @param dims NaN where one is unknown; null: not even the rank is known */
export function shaped(dtype: DType, dims: readonly number[] | null): AbstractTensor {
  return { dtype, dims };
}

/** Most dimensions that are followed: more than any runtime takes. */
export const MAX_RANK = 64;

/** A value of which only the rank is known, if that. */
export function ofRank(dtype: DType, rank: number): AbstractTensor {
  return shaped(dtype, rank <= MAX_RANK ? new Array<number>(rank).fill(NaN) : null);
}

/** A value of which nothing is known but its type, if that. */
export function unknown(dtype: DType = 'undefined'): AbstractTensor {
  return { dtype, dims: null };
}

/** A value whose elements are known in part at least. */
export function known(
  dtype: DType,
  dims: readonly number[],
  data: ArrayLike<number>,
): AbstractTensor {
  const held = new Float64Array(data.length);
  for (let i = 0; i < held.length; i++) held[i] = inRange(dtype, data[i] ?? NaN);
  return { dtype, dims, data: held };
}

/** Whether no value is NaN, which stands for one that is not known. */
export function areKnown(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return false;
  return true;
}

const RANGES: Partial<Record<DType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

/** An element as its type holds it; unknown where it would overflow. */
function inRange(dtype: DType, value: number): number {
  if (dtype === 'float32') return Math.fround(value);
  const range = RANGES[dtype];
  return range !== undefined && (value < range[0] || value > range[1]) ? NaN : value;
}

/** The dimension at an index counted from the end when negative; NaN outside. */
export function dimAt(dims: readonly number[], index: number): number {
  return dims[index < 0 ? index + dims.length : index] ?? NaN;
}

/** An axis counted from the front. */
export function axisOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Shapes made one by the broadcasting rule; null when a rank is unknown. */
export function broadcast(shapes: readonly (readonly number[] | null)[]): number[] | null {
  const ranks = shapes.map((dims) => dims?.length ?? NaN);
  const rank = Math.max(0, ...ranks);
  if (Number.isNaN(rank)) return null;
  return Array.from({ length: rank }, (_, axis) =>
    shapes
      .map((dims) => dims?.[axis - rank + dims.length] ?? 1)
      .reduce((a, b) => {
        if (a === 1) return b;
        if (b === 1 || a === b) return a;
        if (Number.isNaN(a)) return b;
        return Number.isNaN(b) ? a : NaN;
      }, 1),
  );
}

/** Row-major strides. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--) {
    strides[axis] = (strides[axis + 1] ?? 1) * (dims[axis + 1] ?? 1);
  }
  return strides;
}

/** Strides by which a tensor is read as if it had been broadcast to `to`. */
export function broadcastStrides(dims: readonly number[], to: readonly number[]): number[] {
  const own = stridesOf(dims);
  return to.map((_, axis) => {
    const at = axis - to.length + dims.length;
    return at < 0 || dims[at] === 1 ? 0 : (own[at] ?? 0);
  });
}

/** Offsets into a source that a strided view of the given shape reads, in row-major order. */
export function stridedOffsets(
  dims: readonly number[],
  strides: readonly number[],
  start = 0,
): Float64Array {
  const out = new Float64Array(elementCount(dims));
  const position = new Array<number>(dims.length).fill(0);
  let offset = start;
  for (let i = 0; i < out.length; i++) {
    out[i] = offset;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] ?? 0;
      const at = (position[axis] ?? 0) + 1;
      if (at < (dims[axis] ?? 0)) {
        position[axis] = at;
        offset += stride;
        break;
      }
      position[axis] = 0;
      offset -= stride * (at - 1);
    }
  }
  return out;
}

/** Elements of a strided view. */
export function strided(
  data: Float64Array,
  dims: readonly number[],
  strides: readonly number[],
  start = 0,
): Float64Array {
  return stridedOffsets(dims, strides, start).map((offset) => data[offset] ?? NaN);
}
