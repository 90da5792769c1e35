import { create } from '@bufbuild/protobuf';
import { TensorProtoSchema, type TensorProto } from 'onnx-buf';
import { byteLength, dtypeNumber, dtypeOf, type DType } from './dtype.js';
import { OnnxError } from './errors.js';

export type TypedArray =
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

/**
 * A dense tensor in row-major order. `float16` and `bfloat16` hold raw bits in a Uint16Array, `bool`
 * a Uint8Array, 64-bit integers BigInt arrays. The data may be a view of a model's bytes: do not
 * write to it.
 */
export interface Tensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: TypedArray;
}

type ArrayType = new (buffer: ArrayBufferLike, offset: number, length: number) => TypedArray;

const ARRAYS: Partial<Record<DType, ArrayType>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
};

/** Whether tensors of this type can be decoded to a typed array here. */
export function isDecodable(dtype: DType): boolean {
  return ARRAYS[dtype] !== undefined;
}

/** The product of the dimensions: 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

function checkedCount(what: string, dims: readonly number[], length: number): void {
  if (elementCount(dims) !== length) {
    throw new OnnxError(
      'ONNX_SHAPE',
      `${what} of shape [${dims.join(', ')}] needs ${elementCount(dims)} elements, got ${length}.`,
    );
  }
}

/** A tensor over given data. @throws OnnxError ONNX_SHAPE when the data do not fill the shape. */
export function tensorOf(dtype: DType, dims: readonly number[], data: TypedArray): Tensor {
  checkedCount(`A ${dtype} tensor`, dims, data.length);
  return { dtype, dims: [...dims], data };
}

/** A float32 tensor over `data` (row-major). @throws OnnxError ONNX_SHAPE */
export function floatTensor(dims: readonly number[], data: Float32Array | number[]): Tensor {
  return tensorOf('float32', dims, data instanceof Float32Array ? data : Float32Array.from(data));
}

/** An int64 tensor of whole numbers. @throws OnnxError ONNX_SHAPE */
export function int64Tensor(dims: readonly number[], values: readonly number[]): Tensor {
  return tensorOf('int64', dims, BigInt64Array.from(values, BigInt));
}

/** An int32 tensor. @throws OnnxError ONNX_SHAPE */
export function int32Tensor(dims: readonly number[], data: Int32Array | number[]): Tensor {
  return tensorOf('int32', dims, data instanceof Int32Array ? data : Int32Array.from(data));
}

/** An int8 tensor. @throws OnnxError ONNX_SHAPE */
export function int8Tensor(dims: readonly number[], data: Int8Array | number[]): Tensor {
  return tensorOf('int8', dims, data instanceof Int8Array ? data : Int8Array.from(data));
}

/** A uint8 tensor. @throws OnnxError ONNX_SHAPE */
export function uint8Tensor(dims: readonly number[], data: Uint8Array | number[]): Tensor {
  return tensorOf('uint8', dims, data instanceof Uint8Array ? data : Uint8Array.from(data));
}

/** A float32 scalar (rank 0). */
export function scalar(value: number): Tensor {
  return floatTensor([], [value]);
}

/** An int64 scalar (rank 0). */
export function int64Scalar(value: number): Tensor {
  return int64Tensor([], [value]);
}

/** The value of a one-element numeric tensor as a number. @throws OnnxError ONNX_SHAPE */
export function scalarValue(tensor: Tensor): number {
  const [value] = toNumbers(tensor);
  if (tensor.data.length !== 1 || value === undefined) {
    throw new OnnxError(
      'ONNX_SHAPE',
      `A single number was expected, but the tensor has shape [${tensor.dims.join(', ')}].`,
    );
  }
  return value;
}

/** Every element as a number; float16 and bfloat16 are widened. */
export function toNumbers(tensor: Tensor): Float64Array {
  const { data, dtype } = tensor;
  const out = new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const raw = Number(data[i]);
    out[i] =
      dtype === 'float16' ? halfToFloat(raw) : dtype === 'bfloat16' ? bfloatToFloat(raw) : raw;
  }
  return out;
}

/** The data of a float tensor as float32: the array itself when it is float32 already. */
export function toFloat32(tensor: Tensor): Float32Array {
  return tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(toNumbers(tensor));
}

/** The number that 16 bits of IEEE 754 binary16 stand for. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The IEEE 754 binary16 bits nearest to a number, ties to even. */
export function floatToHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude || 2 ** -25)), -14);
  const steps = magnitude / 2 ** (exponent - 10);
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return sign | (rounded + (exponent + 14) * 1024);
}

function bfloatToFloat(bits: number): number {
  return new Float32Array(new Uint32Array([bits << 16]).buffer)[0] ?? NaN;
}

/** The dims of a TensorProto as numbers. @throws OnnxError ONNX_CORRUPT on negative or huge ones. */
export function tensorDims(proto: TensorProto): number[] {
  const dims = proto.dims.map(Number);
  if (dims.some((dim) => dim < 0) || elementCount(dims) > 2 ** 40) {
    throw new OnnxError(
      'ONNX_CORRUPT',
      `The tensor "${proto.name}" has an impossible shape [${proto.dims.join(', ')}].`,
    );
  }
  return dims;
}

/** The element type of a TensorProto. @throws OnnxError ONNX_CORRUPT on a type that ONNX lacks. */
export function tensorDType(proto: TensorProto): DType {
  const dtype = dtypeOf(proto.dataType);
  if (dtype === undefined || dtype === 'undefined') {
    throw new OnnxError(
      'ONNX_CORRUPT',
      `The tensor "${proto.name}" has the unknown element type ${proto.dataType}.`,
    );
  }
  return dtype;
}

/**
 * Check that a TensorProto's stored data fill its shape, without decoding them.
 * @throws OnnxError ONNX_CORRUPT, or ONNX_EXTERNAL_DATA when the data are in another file.
 */
export function checkTensor(proto: TensorProto): void {
  if (proto.dataLocation === 1 || proto.externalData.length > 0) {
    throw new OnnxError(
      'ONNX_EXTERNAL_DATA',
      `The tensor "${proto.name}" keeps its data in another file. Save the model as a single file.`,
    );
  }
  const dtype = tensorDType(proto);
  const count = elementCount(tensorDims(proto));
  const [stored, needed] =
    proto.rawData.length > 0
      ? [proto.rawData.length, byteLength(dtype, count)]
      : [typedField(proto, dtype).length, typedFieldLength(dtype, count)];
  if (dtype === 'string' ? proto.stringData.length !== count : stored !== needed) {
    throw new OnnxError(
      'ONNX_CORRUPT',
      `The tensor "${proto.name}" of ${count} ${dtype} elements holds ${stored} where ${needed} were expected.`,
    );
  }
}

function typedField(proto: TensorProto, dtype: DType): readonly (number | bigint)[] {
  switch (dtype) {
    case 'float32':
    case 'complex64':
      return proto.floatData;
    case 'float64':
    case 'complex128':
      return proto.doubleData;
    case 'int64':
      return proto.int64Data;
    case 'uint32':
    case 'uint64':
      return proto.uint64Data;
    default:
      return proto.int32Data;
  }
}

function typedFieldLength(dtype: DType, count: number): number {
  if (dtype === 'complex64' || dtype === 'complex128') return count * 2;
  const perByte = byteLength(dtype, 8);
  return perByte < 8 ? Math.ceil((count * perByte) / 8) : count;
}

/**
 * Decode a TensorProto. Data that lie aligned in the model's bytes are viewed, others copied.
 * @throws OnnxError ONNX_CORRUPT, ONNX_EXTERNAL_DATA, or ONNX_UNSUPPORTED_TYPE (strings, complex and
 * sub-byte types).
 */
export function decodeTensor(proto: TensorProto): Tensor {
  checkTensor(proto);
  const dtype = tensorDType(proto);
  const dims = tensorDims(proto);
  const ArrayOf = ARRAYS[dtype];
  if (ArrayOf === undefined) {
    throw new OnnxError('ONNX_UNSUPPORTED_TYPE', `The tensor "${proto.name}" is of type ${dtype}.`);
  }
  const count = elementCount(dims);
  const width = byteLength(dtype, 1);
  const raw = proto.rawData;
  if (raw.length > 0) {
    const bytes = raw.byteOffset % width === 0 ? raw : new Uint8Array(raw);
    return { dtype, dims, data: new ArrayOf(bytes.buffer, bytes.byteOffset, count) };
  }
  const field = typedField(proto, dtype);
  const data = new ArrayOf(new ArrayBuffer(count * width), 0, count);
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  for (let i = 0; i < count; i++) data[i] = wide ? BigInt(field[i] ?? 0) : Number(field[i]);
  return { dtype, dims, data };
}

/** Encode a tensor as a TensorProto with raw little-endian data (copied). */
export function encodeTensor(name: string, tensor: Tensor): TensorProto {
  checkedCount(`The tensor "${name}"`, tensor.dims, tensor.data.length);
  const { buffer, byteOffset, byteLength: length } = tensor.data;
  return create(TensorProtoSchema, {
    name,
    dataType: dtypeNumber(tensor.dtype),
    dims: tensor.dims.map(BigInt),
    rawData: new Uint8Array(buffer, byteOffset, length).slice(),
  });
}
