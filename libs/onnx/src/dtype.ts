/** ONNX element types by their names; `undefined` also stands for values that are not tensors. */
const NUMBERS = {
  undefined: 0,
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
  float8e8m0: 24,
  uint2: 25,
  int2: 26,
} as const;

export type DType = keyof typeof NUMBERS;

const NAMES = new Map<number, DType>(
  Object.entries(NUMBERS).map(([name, number]) => [number, name as DType]),
);

const BITS: Readonly<Record<DType, number>> = {
  undefined: 0,
  float32: 32,
  uint8: 8,
  int8: 8,
  uint16: 16,
  int16: 16,
  int32: 32,
  int64: 64,
  string: 0,
  bool: 8,
  float16: 16,
  float64: 64,
  uint32: 32,
  uint64: 64,
  complex64: 64,
  complex128: 128,
  bfloat16: 16,
  float8e4m3fn: 8,
  float8e4m3fnuz: 8,
  float8e5m2: 8,
  float8e5m2fnuz: 8,
  uint4: 4,
  int4: 4,
  float4e2m1: 4,
  float8e8m0: 8,
  uint2: 2,
  int2: 2,
};

/** The number that ONNX gives to an element type. */
export function dtypeNumber(dtype: DType): number {
  return NUMBERS[dtype];
}

/** The element type of an ONNX number; undefined when ONNX knows none. */
export function dtypeOf(number: number): DType | undefined {
  return NAMES.get(number);
}

/** Bytes that `count` elements take; types below a byte are packed, strings count as 0. */
export function byteLength(dtype: DType, count: number): number {
  return Math.ceil((count * BITS[dtype]) / 8);
}

/** Whether elements of a type are floating-point numbers. */
export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16';
}
