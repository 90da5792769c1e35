import { attrInt, attrInts, attrTensor } from '../attribute.js';
import { dtypeOf } from '../dtype.js';
import { elementCount, toNumbers } from '../tensor.js';
import { areKnown, axisOf, known, ofRank, shaped, unknown } from './abstract-tensor.js';
import { forAll, type Rule, type Rules } from './rule.js';

const shape: Rule = (scope) => {
  const dims = scope.input(0)?.dims ?? null;
  if (dims === null) return [shaped('int64', [NaN])];
  const bound = (at: number): number => Math.min(Math.max(axisOf(at, dims.length), 0), dims.length);
  const start = bound(attrInt(scope.node, 'start', 0));
  const part = dims.slice(start, bound(attrInt(scope.node, 'end', dims.length)));
  return [known('int64', [part.length], part)];
};

const size: Rule = (scope) => {
  const dims = scope.input(0)?.dims ?? null;
  return dims === null ? [shaped('int64', [])] : [known('int64', [], [elementCount(dims)])];
};

const constantOfShape: Rule = (scope) => {
  const value = attrTensor(scope.node, 'value');
  const dtype = value?.dtype ?? 'float32';
  const wanted = scope.input(0)?.data;
  if (wanted === undefined) {
    const rank = scope.input(0)?.dims?.[0] ?? NaN;
    return [ofRank(dtype, rank)];
  }
  const dims = Array.from(wanted);
  if (!areKnown(dims) || elementCount(dims) > scope.maxElements) return [shaped(dtype, dims)];
  const element = value === undefined ? 0 : (toNumbers(value)[0] ?? 0);
  return [known(dtype, dims, new Float64Array(elementCount(dims)).fill(element))];
};

const range: Rule = (scope) => {
  const dtype = scope.input(0)?.dtype ?? 'undefined';
  const [start = NaN, limit = NaN, step = NaN] = [0, 1, 2].map(
    (index) => scope.input(index)?.data?.[0] ?? NaN,
  );
  const count = Math.max(0, Math.ceil((limit - start) / step));
  if (!Number.isFinite(count) || count > scope.maxElements) return [shaped(dtype, [count])];
  if (dtype !== 'int64' && dtype !== 'int32') return [shaped(dtype, [count])];
  return [
    known(
      dtype,
      [count],
      Array.from({ length: count }, (_, i) => start + i * step),
    ),
  ];
};

const random: Rule = (scope) => [
  shaped(
    dtypeOf(attrInt(scope.node, 'dtype', 1)) ?? 'float32',
    attrInts(scope.node, 'shape') ?? null,
  ),
];

const like: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  return [shaped(dtypeOf(attrInt(scope.node, 'dtype', 0)) ?? x.dtype, x.dims)];
};

export const generationRules: Rules = {
  Shape: shape,
  Size: size,
  ConstantOfShape: constantOfShape,
  Range: range,
  NonZero: (scope) => [shaped('int64', [scope.input(0)?.dims?.length ?? NaN, NaN])],
  ...forAll('RandomNormal RandomUniform', random),
  ...forAll('RandomNormalLike RandomUniformLike Bernoulli EyeLike', like),
};
