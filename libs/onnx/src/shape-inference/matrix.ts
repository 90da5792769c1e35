import { attrInt } from '../attribute.js';
import { broadcast, dimAt, shaped } from './abstract-tensor.js';
import { dimsOf, type Rule, type Rules } from './rule.js';

/** The shape of a product after numpy's matmul. */
export function matMulDims(
  a: readonly number[] | null,
  b: readonly number[] | null,
): number[] | null {
  if (a === null || b === null || a.length === 0 || b.length === 0) return null;
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const batch = broadcast([left.slice(0, -2), right.slice(0, -2)]);
  if (batch === null) return null;
  return [
    ...batch,
    ...(a.length === 1 ? [] : [dimAt(left, -2)]),
    ...(b.length === 1 ? [] : [dimAt(right, -1)]),
  ];
}

const gemm: Rule = (scope) => {
  const a = dimsOf(scope, 0);
  const b = dimsOf(scope, 1);
  const dtype = scope.input(0)?.dtype ?? 'undefined';
  if (a === null || b === null) return [shaped(dtype, null)];
  const rows = dimAt(a, attrInt(scope.node, 'transA', 0) ? 1 : 0);
  return [shaped(dtype, [rows, dimAt(b, attrInt(scope.node, 'transB', 0) ? 0 : 1)])];
};

export const matrixRules: Rules = {
  Gemm: gemm,
  MatMul: (scope) => [
    shaped(scope.input(0)?.dtype ?? 'undefined', matMulDims(dimsOf(scope, 0), dimsOf(scope, 1))),
  ],
  MatMulInteger: (scope) => [shaped('int32', matMulDims(dimsOf(scope, 0), dimsOf(scope, 1)))],
  QLinearMatMul: (scope) => [
    shaped(scope.input(7)?.dtype ?? 'undefined', matMulDims(dimsOf(scope, 0), dimsOf(scope, 3))),
  ],
};
