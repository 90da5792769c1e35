export { type Fusion, fusionOf } from './fusion.js';
export type { Divergence, JudgedOutput } from './held-out.js';
export { describeProcessor, type Int8Products, measureInt8Products } from './int8-kernels.js';
export {
  type QuantizeContext,
  type QuantizedModel,
  quantizeModel,
  type QuantizeOptions,
  type QuantizeStage,
  type QuantizeStageName,
} from './quantize-model.js';
export { raiseOpset } from './raise-opset.js';
