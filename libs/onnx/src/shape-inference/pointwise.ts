import { attrFloat, attrInt } from '../attribute.js';
import { dtypeOf, isFloat, type DType } from '../dtype.js';
import { elementCount } from '../tensor.js';
import {
  areKnown,
  broadcast,
  broadcastStrides,
  known,
  shaped,
  stridedOffsets,
  unknown,
  type AbstractTensor,
} from './abstract-tensor.js';
import { forAll, type Rule, type Rules, type Scope } from './rule.js';

const sameAsFirst: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  return [shaped(x.dtype, x.dims)];
};

/** Only functions whose result is exact, so that folding them changes nothing. */
function unary(compute: (value: number, dtype: DType) => number): Rule {
  return (scope) => {
    const x = scope.input(0) ?? unknown();
    return x.data === undefined || x.dims === null
      ? [shaped(x.dtype, x.dims)]
      : [
          known(
            x.dtype,
            x.dims,
            x.data.map((value) => compute(value, x.dtype)),
          ),
        ];
  };
}

/** Elementwise over broadcast inputs; computes where every input is known. */
export function elementwise(
  scope: Scope,
  inputs: readonly AbstractTensor[],
  dtype: DType,
  compute?: (values: readonly number[], dtype: DType) => number,
): AbstractTensor {
  const dims = broadcast(inputs.map((input) => input.dims));
  if (dims === null || compute === undefined || !areKnown(dims)) return shaped(dtype, dims);
  if (elementCount(dims) > scope.maxElements) return shaped(dtype, dims);
  const sources: { data: Float64Array; offsets: Float64Array }[] = [];
  for (const { data, dims: own } of inputs) {
    if (data === undefined || own === null) return shaped(dtype, dims);
    sources.push({ data, offsets: stridedOffsets(dims, broadcastStrides(own, dims)) });
  }
  const out = Array.from({ length: elementCount(dims) }, (_, i) =>
    compute(
      sources.map(({ data, offsets }) => data[offsets[i] ?? 0] ?? NaN),
      inputs[0]?.dtype ?? dtype,
    ),
  );
  return known(dtype, dims, out);
}

function allInputs(scope: Scope): AbstractTensor[] {
  return scope.node.inputs.map((_, index) => scope.input(index) ?? unknown());
}

/** Arithmetic: the type is the first input's. */
function arithmetic(compute?: (a: number, b: number, dtype: DType) => number): Rule {
  return (scope) => {
    const inputs = allInputs(scope);
    const fold =
      compute &&
      ((values: readonly number[], dtype: DType) =>
        values.slice(1).reduce((a, b) => {
          const value = compute(a, b, dtype);
          return isFloat(dtype) || Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : NaN;
        }, values[0] ?? NaN));
    return [elementwise(scope, inputs, inputs[0]?.dtype ?? 'undefined', fold)];
  };
}

function comparison(compute?: (a: number, b: number) => boolean): Rule {
  return (scope) => [
    elementwise(
      scope,
      allInputs(scope),
      'bool',
      compute &&
        (([a = NaN, b = NaN]) =>
          Number.isNaN(a) || Number.isNaN(b) ? NaN : Number(compute(a, b))),
    ),
  ];
}

const where: Rule = (scope) => {
  const inputs = allInputs(scope);
  return [
    elementwise(scope, inputs, inputs[1]?.dtype ?? 'undefined', ([test = NaN, a = NaN, b = NaN]) =>
      Number.isNaN(test) ? NaN : test ? a : b,
    ),
  ];
};

const cast: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const dtype =
    scope.node.op === 'CastLike'
      ? (scope.input(1)?.dtype ?? 'undefined')
      : (dtypeOf(attrInt(scope.node, 'to', 0)) ?? 'undefined');
  if (x.data === undefined || x.dims === null) return [shaped(dtype, x.dims)];
  if (dtype === 'float16' || dtype === 'bfloat16' || dtype === 'string') {
    return [shaped(dtype, x.dims)];
  }
  const convert = isFloat(dtype)
    ? (value: number): number => value
    : dtype === 'bool'
      ? (value: number): number => (Number.isNaN(value) ? NaN : Number(value !== 0))
      : Math.trunc;
  return [known(dtype, x.dims, x.data.map(convert))];
};

const clip: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  if (x.data === undefined || x.dims === null) return [shaped(x.dtype, x.dims)];
  const lower = scope.input(1)?.data?.[0] ?? attrFloat(scope.node, 'min', -Infinity);
  const upper = scope.input(2)?.data?.[0] ?? attrFloat(scope.node, 'max', Infinity);
  return [
    known(
      x.dtype,
      x.dims,
      x.data.map((v) => Math.min(Math.max(v, lower), upper)),
    ),
  ];
};

const dropout: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  return [x, shaped(scope.opset < 10 ? x.dtype : 'bool', x.dims)];
};

function divide(a: number, b: number, dtype: DType): number {
  if (isFloat(dtype)) return a / b;
  return b === 0 ? NaN : Math.trunc(a / b);
}

export const pointwiseRules: Rules = {
  ...forAll(
    'Acos Acosh Asin Asinh Atan Atanh Celu Cos Cosh Elu Erf Exp Gelu HardSigmoid HardSwish LeakyRelu Log Mish Selu Shrink Sigmoid Sin Sinh Softplus Softsign Swish Tan Tanh ThresholdedRelu Round Reciprocal BitwiseNot',
    sameAsFirst,
  ),
  ...forAll(
    'Softmax LogSoftmax Hardmax LRN LpNormalization MeanVarianceNormalization InstanceNormalization GroupNormalization RMSNormalization CumSum Trilu ScatterElements ScatterND Scatter ReverseSequence',
    sameAsFirst,
  ),
  Identity: (scope) => [scope.input(0) ?? unknown()],
  Relu: unary((value) => Math.max(value, 0)),
  Neg: unary((value) => -value),
  Abs: unary(Math.abs),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Sign: unary(Math.sign),
  Sqrt: unary((value, dtype) => (dtype === 'float32' ? Math.sqrt(value) : NaN)),
  Not: unary((value) => (Number.isNaN(value) ? NaN : Number(value === 0))),
  Add: arithmetic((a, b) => a + b),
  Sub: arithmetic((a, b) => a - b),
  Mul: arithmetic((a, b) => a * b),
  Div: arithmetic(divide),
  Max: arithmetic((a, b) => Math.max(a, b)),
  Min: arithmetic((a, b) => Math.min(a, b)),
  ...forAll('Pow Sum Mean Mod BitShift BitwiseAnd BitwiseOr BitwiseXor PRelu', arithmetic()),
  Equal: comparison((a, b) => a === b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  And: comparison((a, b) => a !== 0 && b !== 0),
  Or: comparison((a, b) => a !== 0 || b !== 0),
  Xor: comparison((a, b) => (a !== 0) !== (b !== 0)),
  ...forAll('IsNaN IsInf', (scope) => [shaped('bool', scope.input(0)?.dims ?? null)]),
  Where: where,
  Cast: cast,
  CastLike: cast,
  Clip: clip,
  Dropout: dropout,
};
