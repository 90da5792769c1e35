import { DatasetError } from './errors.js';
import type { NpyArray } from './npy.js';
import { readNpz, type NpzLimits } from './npz.js';

export interface Dataset {
  readonly count: number;
  /** Samples, N first: uint8 images NHWC, or float32 as the model takes it. */
  readonly x: NpyArray;
  /** Class ids, one a sample. */
  readonly y?: Int32Array;
}

/**
 * Open an `.npz` with `x` and optional `y`. A float64 `x` becomes float32.
 * @throws DatasetError as readNpz does, and DATASET_NO_X, DATASET_SHAPE, DATASET_UNSUPPORTED
 */
export function openDataset(bytes: Uint8Array, limits?: NpzLimits): Dataset {
  const arrays = readNpz(bytes, limits);
  const x = arrays.get('x');
  if (x === undefined) {
    const names = [...arrays.keys()].join(', ') || 'none';
    throw new DatasetError(
      'DATASET_NO_X',
      `The dataset has no array "x" (it has: ${names}). Save the samples as "x".`,
    );
  }
  const count = x.dims[0] ?? 0;
  if (x.dims.length < 2 || count === 0 || x.data.length === 0) {
    throw new DatasetError(
      'DATASET_SHAPE',
      `"x" has the shape (${x.dims.join(', ')}); it needs samples along its first axis.`,
    );
  }
  const y = arrays.get('y');
  return { count, x: samples(x), ...(y === undefined ? {} : { y: labels(y, count) }) };
}

function samples(x: NpyArray): NpyArray {
  if (x.dtype === 'uint8' || x.dtype === 'float32') return x;
  if (x.data instanceof Float64Array) {
    return { dims: x.dims, dtype: 'float32', data: Float32Array.from(x.data) };
  }
  throw new DatasetError(
    'DATASET_UNSUPPORTED',
    `"x" holds ${x.dtype}; save it as uint8 images or as float32.`,
  );
}

function labels(y: NpyArray, count: number): Int32Array {
  if (y.data.length !== count || y.dims[0] !== count) {
    throw new DatasetError(
      'DATASET_SHAPE',
      `"y" has the shape (${y.dims.join(', ')}), but "x" has ${count} samples.`,
    );
  }
  const ids = Int32Array.from(y.data as ArrayLike<number | bigint>, Number);
  const wrong = ids.findIndex((id, index) => id !== Number(y.data[index]) || id < 0);
  if (wrong >= 0) {
    throw new DatasetError(
      'DATASET_SHAPE',
      `"y" holds ${String(y.data[wrong])} at ${wrong}, which is no class id.`,
    );
  }
  return ids;
}
