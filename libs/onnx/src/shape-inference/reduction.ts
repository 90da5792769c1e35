import { attrInt } from '../attribute.js';
import { areKnown, axisOf, known, shaped, unknown } from './abstract-tensor.js';
import { forAll, hasInput, listOf, type Rule, type Rules } from './rule.js';

/** Reductions over all elements that shape arithmetic uses. */
const TOTALS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  ReduceProd: (values) => values.reduce((a, b) => a * b, 1),
  ReduceSum: (values) => values.reduce((a, b) => a + b, 0),
  ReduceMax: (values) => Math.max(...values),
  ReduceMin: (values) => Math.min(...values),
};

const reduce: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const { dims } = x;
  if (dims === null) return [shaped(x.dtype, null)];
  const keep = attrInt(scope.node, 'keepdims', 1) === 1;
  const axes = listOf(scope, 'axes', 1);
  if (axes === undefined && hasInput(scope, 1)) {
    return [shaped(x.dtype, keep ? dims.map(() => NaN) : null)];
  }
  if ((axes ?? []).length === 0 && attrInt(scope.node, 'noop_with_empty_axes', 0) === 1) return [x];
  const over = new Set(
    axes === undefined || axes.length === 0
      ? dims.keys()
      : axes.map((axis) => axisOf(axis, dims.length)),
  );
  const out = keep
    ? dims.map((dim, axis) => (over.has(axis) ? 1 : dim))
    : dims.filter((_, axis) => !over.has(axis));
  const total = TOTALS[scope.node.op];
  const exact = x.dtype === 'int64' || x.dtype === 'int32';
  if (!exact || x.data === undefined || total === undefined || over.size < dims.length) {
    return [shaped(x.dtype, out)];
  }
  return areKnown(x.data) && x.data.length <= 64
    ? [known(x.dtype, out, [total(Array.from(x.data))])]
    : [shaped(x.dtype, out)];
};

const argument: Rule = (scope) => {
  const dims = scope.input(0)?.dims ?? null;
  if (dims === null) return [shaped('int64', null)];
  const axis = axisOf(attrInt(scope.node, 'axis', 0), dims.length);
  const keep = attrInt(scope.node, 'keepdims', 1) === 1;
  return [shaped('int64', keep ? dims.with(axis, 1) : dims.toSpliced(axis, 1))];
};

export const reductionRules: Rules = {
  ...forAll(
    'ReduceMean ReduceSum ReduceProd ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare',
    reduce,
  ),
  ...forAll('ArgMax ArgMin', argument),
};
