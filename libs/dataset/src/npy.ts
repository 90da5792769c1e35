import { DatasetError } from './errors.js';

export type NpyData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

export type NpyDType =
  | 'bool'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float32'
  | 'float64';

/** An array in row-major (C) order. */
export interface NpyArray {
  readonly dims: readonly number[];
  readonly dtype: NpyDType;
  readonly data: NpyData;
}

interface ElementType {
  readonly code: string;
  readonly bytes: number;
  readonly over: (buffer: ArrayBuffer, offset: number, length: number) => NpyData;
}

const TYPES: Readonly<Record<NpyDType, ElementType>> = {
  bool: { code: 'b1', bytes: 1, over: (...at) => new Uint8Array(...at) },
  int8: { code: 'i1', bytes: 1, over: (...at) => new Int8Array(...at) },
  uint8: { code: 'u1', bytes: 1, over: (...at) => new Uint8Array(...at) },
  int16: { code: 'i2', bytes: 2, over: (...at) => new Int16Array(...at) },
  uint16: { code: 'u2', bytes: 2, over: (...at) => new Uint16Array(...at) },
  int32: { code: 'i4', bytes: 4, over: (...at) => new Int32Array(...at) },
  uint32: { code: 'u4', bytes: 4, over: (...at) => new Uint32Array(...at) },
  int64: { code: 'i8', bytes: 8, over: (...at) => new BigInt64Array(...at) },
  uint64: { code: 'u8', bytes: 8, over: (...at) => new BigUint64Array(...at) },
  float32: { code: 'f4', bytes: 4, over: (...at) => new Float32Array(...at) },
  float64: { code: 'f8', bytes: 8, over: (...at) => new Float64Array(...at) },
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

function corrupt(name: string, what: string): DatasetError {
  return new DatasetError('DATASET_CORRUPT', `The array "${name}" ${what}.`);
}

/**
 * Read one `.npy` file, format 1 to 3; Fortran order is turned into C order.
 * @throws DatasetError DATASET_CORRUPT, or DATASET_UNSUPPORTED for big-endian and non-numeric arrays
 */
export function readNpy(bytes: Uint8Array, name: string): NpyArray {
  if (bytes.length < 12 || MAGIC.some((byte, at) => bytes[at] !== byte)) {
    throw corrupt(name, 'is no .npy file');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const wide = view.getUint8(6) >= 2;
  const start = wide ? 12 : 10;
  const end = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (end > bytes.length || end - start > 65_536) throw corrupt(name, 'has a truncated header');
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, end));
  const { dtype, dims, fortran } = parseHeader(header, name);
  const count = dims.reduce((product, dim) => product * dim, 1);
  const type = TYPES[dtype];
  if (count * type.bytes !== bytes.length - end) {
    throw corrupt(
      name,
      `of shape (${dims.join(', ')}) needs ${count * type.bytes} bytes but holds ${bytes.length - end}`,
    );
  }
  const body = new Uint8Array(bytes.subarray(end));
  const data = type.over(body.buffer, 0, count);
  return { dims, dtype, data: fortran && dims.length > 1 ? rowMajor(data, dims, type) : data };
}

function parseHeader(
  header: string,
  name: string,
): { dtype: NpyDType; dims: number[]; fortran: boolean } {
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const shape = /'shape'\s*:\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (order === undefined || shape === undefined) throw corrupt(name, 'has an unreadable header');
  const dtype = (Object.keys(TYPES) as NpyDType[]).find(
    (key) => TYPES[key].code === descr?.slice(1),
  );
  const swapped = descr?.startsWith('>') && dtype !== undefined && TYPES[dtype].bytes > 1;
  if (dtype === undefined || swapped) {
    throw new DatasetError(
      'DATASET_UNSUPPORTED',
      `The array "${name}" has the type ${descr ?? 'of a record'}. Save it as little-endian numbers, such as uint8, float32 or int64.`,
    );
  }
  const dims = shape
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(Number);
  if (!Number.isSafeInteger(dims.reduce((product, dim) => product * dim, 8))) {
    throw corrupt(name, 'has an impossible shape');
  }
  return { dtype, dims, fortran: order === 'True' };
}

function rowMajor(data: NpyData, dims: readonly number[], type: ElementType): NpyData {
  const out = type.over(new ArrayBuffer(data.length * type.bytes), 0, data.length);
  const position = new Array<number>(dims.length).fill(0);
  const strides = dims.map((_, axis) => dims.slice(0, axis).reduce((a, b) => a * b, 1));
  let from = 0;
  for (let to = 0; to < data.length; to++) {
    out[to] = data[from] ?? 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] ?? 0;
      const at = (position[axis] ?? 0) + 1;
      if (at < (dims[axis] ?? 0)) {
        position[axis] = at;
        from += stride;
        break;
      }
      position[axis] = 0;
      from -= stride * (at - 1);
    }
  }
  return out;
}

/** The `.npy` bytes (format 1.0, C order) of an array. @throws DatasetError DATASET_SHAPE */
export function writeNpy(array: NpyArray): Uint8Array {
  const { code, bytes } = TYPES[array.dtype];
  const count = array.dims.reduce((product, dim) => product * dim, 1);
  if (count !== array.data.length) {
    throw new DatasetError(
      'DATASET_SHAPE',
      `The shape (${array.dims.join(', ')}) needs ${count} elements, got ${array.data.length}.`,
    );
  }
  const shape = array.dims.length === 1 ? `${count},` : array.dims.join(', ');
  const text = `{'descr': '${bytes === 1 ? '|' : '<'}${code}', 'fortran_order': False, 'shape': (${shape}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const { data } = array;
  const out = new Uint8Array(10 + length + data.byteLength);
  out.set([...MAGIC, 1, 0, length & 0xff, length >> 8]);
  out.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), 10);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length);
  return out;
}
