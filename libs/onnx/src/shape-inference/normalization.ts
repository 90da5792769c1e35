import { attrInt } from '../attribute.js';
import { axisOf, dimAt, shaped, unknown } from './abstract-tensor.js';
import type { Rule, Rules } from './rule.js';

const batchNormalization: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const statistics = shaped(
    scope.input(3)?.dtype ?? x.dtype,
    x.dims === null ? null : [dimAt(x.dims, 1)],
  );
  return [shaped(x.dtype, x.dims), statistics, statistics, statistics, statistics];
};

const layerNormalization: Rule = (scope) => {
  const x = scope.input(0) ?? unknown();
  const axis = axisOf(attrInt(scope.node, 'axis', -1), x.dims?.length ?? 0);
  const statistics = shaped('float32', x.dims?.map((dim, at) => (at < axis ? dim : 1)) ?? null);
  return [shaped(x.dtype, x.dims), statistics, statistics];
};

export const normalizationRules: Rules = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
};
