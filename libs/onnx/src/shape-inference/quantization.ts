import { attrInt } from '../attribute.js';
import { dtypeOf } from '../dtype.js';
import { shaped } from './abstract-tensor.js';
import type { Rule, Rules } from './rule.js';

const quantize: Rule = (scope) => {
  const declared = dtypeOf(attrInt(scope.node, 'output_dtype', 0)) ?? 'undefined';
  const dtype = scope.input(2)?.dtype ?? (declared === 'undefined' ? 'uint8' : declared);
  return [shaped(dtype, scope.input(0)?.dims ?? null)];
};

const dequantize: Rule = (scope) => [
  shaped(scope.input(1)?.dtype ?? 'float32', scope.input(0)?.dims ?? null),
];

const quantizeDynamically: Rule = (scope) => [
  shaped('uint8', scope.input(0)?.dims ?? null),
  shaped('float32', []),
  shaped('uint8', []),
];

/** None of them computes elements: folding a DequantizeLinear would undo the quantization. */
export const quantizationRules: Rules = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: quantizeDynamically,
};
