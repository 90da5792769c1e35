export {
  attrFloat,
  attrFloats,
  attrInt,
  attrInts,
  attrString,
  attrTensor,
  hasAttribute,
  type Attributes,
  type AttributeValue,
} from './attribute.js';
export { buildModel, type NewModel, type NewValue } from './builder.js';
export { countModel, nodeMacs, type ModelCost, type NodeCost } from './cost.js';
export { byteLength, isFloat, type DType } from './dtype.js';
export { edit, GraphEditor, type NewNode } from './edit.js';
export { OnnxError, type OnnxErrorCode } from './errors.js';
export { foldConstants } from './fold.js';
export { Graph, graphOf } from './graph.js';
export { activationArena, type ActivationArena } from './memory.js';
export {
  MAX_OPSET,
  MIN_OPSET,
  readModel,
  writeModel,
  type Model,
  type ModelLimits,
} from './model.js';
export type { Node } from './node.js';
export { openSession, Session, type SessionOptions } from './session.js';
export {
  inferShapes,
  type InferredShape,
  type ShapeMap,
  type ShapeOptions,
} from './shape-inference/infer.js';
export {
  decodeTensor,
  elementCount,
  encodeTensor,
  floatTensor,
  floatToHalf,
  halfToFloat,
  int32Tensor,
  int64Scalar,
  int64Tensor,
  int8Tensor,
  scalar,
  scalarValue,
  tensorOf,
  toFloat32,
  toNumbers,
  uint8Tensor,
  type Tensor,
  type TypedArray,
} from './tensor.js';
export { type Dim, type ValueInfo } from './value-info.js';
