import { create } from '@bufbuild/protobuf';
import {
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
  type ValueInfoProto,
} from 'onnx-buf';
import { dtypeNumber, dtypeOf, type DType } from './dtype.js';

/** A dimension: known, named (such as a batch), or open. */
export type Dim = number | string | null;

/** The declared type of a value. */
export interface ValueInfo {
  readonly name: string;
  /** `undefined` for sequences, maps and other values that are no dense tensors. */
  readonly dtype: DType;
  /** Empty for a scalar, and where nothing is declared: then `ranked` is false. */
  readonly shape: readonly Dim[];
  readonly ranked: boolean;
}

/** A graph's input or output as it is declared. */
export function valueInfoOf(proto: ValueInfoProto): ValueInfo {
  const type = proto.type?.value.case === 'tensorType' ? proto.type.value.value : undefined;
  return {
    name: proto.name,
    dtype: dtypeOf(type?.elemType ?? 0) ?? 'undefined',
    shape: (type?.shape?.dim ?? []).map(({ value }) => {
      if (value.case === 'dimValue') return value.value >= 0n ? Number(value.value) : null;
      return value.case === 'dimParam' && value.value !== '' ? value.value : null;
    }),
    ranked: type?.shape !== undefined,
  };
}

/**
 * The protobuf form of a declared tensor type; without a shape the rank stays open, and the type
 * `undefined` declares nothing but the name.
 */
export function encodeValueInfo(
  name: string,
  dtype: DType,
  shape?: readonly Dim[],
): ValueInfoProto {
  if (dtype === 'undefined') return create(ValueInfoProtoSchema, { name });
  const tensor = create(TypeProto_TensorSchema, { elemType: dtypeNumber(dtype) });
  if (shape !== undefined) {
    tensor.shape = create(TensorShapeProtoSchema, {
      dim: shape.map((dim) =>
        create(TensorShapeProto_DimensionSchema, {
          value:
            dim === null
              ? { case: undefined }
              : typeof dim === 'number'
                ? { case: 'dimValue', value: BigInt(dim) }
                : { case: 'dimParam', value: dim },
        }),
      ),
    });
  }
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  });
}
