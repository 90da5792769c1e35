import { ELEMENT_TYPES, type ElementType, type Segment } from '@espalier/artifact';
import { readModel } from '@espalier/onnx';

/** Element types by their numbers in ONNX. */
const TYPE_NUMBERS: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  float16: 10,
  bfloat16: 16,
};

/** Tensors shorter than this are left to the encoding of what lies between. */
const LEAST_ELEMENTS = 8;

/**
 * Where the tensors of a model file lie, for `encodeArtifact`: a row holds what one index of the first
 * axis does, such as the weights of one output channel.
 * @param bytes an ONNX file
 * @throws OnnxError as `readModel` does
 */
export function tensorSegments(bytes: Uint8Array): Segment[] {
  return readModel(bytes).graph.initializer.flatMap(({ dataType, dims, rawData }) => {
    const type = ELEMENT_TYPES.find((each) => TYPE_NUMBERS[each] === dataType);
    const count = dims.reduce((product, dim) => product * Number(dim), 1);
    if (type === undefined || count < LEAST_ELEMENTS || rawData.buffer !== bytes.buffer) return [];
    const rowLength = dims.length > 1 ? count / Number(dims[0]) : count;
    return [{ offset: rawData.byteOffset - bytes.byteOffset, type, count, rowLength }];
  });
}
