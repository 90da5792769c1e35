import { shaped, unknown } from './abstract-tensor.js';
import { windowedSize, windowOf } from './convolution.js';
import { forAll, type Rule, type Rules } from './rule.js';

const pool: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  if (x.dims === null) return [shaped(x.dtype, null), shaped('int64', null)];
  const window = windowOf(scope, x.dims.length - 2);
  const dims = [
    ...x.dims.slice(0, 2),
    ...x.dims.slice(2).map((size, axis) => windowedSize(size, window, axis)),
  ];
  return [shaped(x.dtype, dims), shaped('int64', dims)];
};

const globalPool: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  return [shaped(x.dtype, x.dims?.map((dim, axis) => (axis < 2 ? dim : 1)) ?? null)];
};

export const poolingRules: Rules = {
  ...forAll('MaxPool AveragePool LpPool', pool),
  ...forAll('GlobalAveragePool GlobalMaxPool GlobalLpPool', globalPool),
};
