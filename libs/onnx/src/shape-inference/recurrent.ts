import { attrInt, attrString } from '../attribute.js';
import { shaped } from './abstract-tensor.js';
import { forAll, type Rule, type Rules } from './rule.js';

const recurrent: Rule = (scope) => {
  const x = scope.input(0);
  const dtype = x?.dtype ?? 'undefined';
  const hidden = attrInt(scope.node, 'hidden_size', NaN);
  const directions = attrString(scope.node, 'direction', 'forward') === 'bidirectional' ? 2 : 1;
  const [first = NaN, second = NaN] = x?.dims ?? [];
  const batchFirst = attrInt(scope.node, 'layout', 0) === 1;
  const [steps, batch] = batchFirst ? [second, first] : [first, second];
  const state = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
  const sequence = batchFirst
    ? [batch, steps, directions, hidden]
    : [steps, directions, batch, hidden];
  return [shaped(dtype, sequence), shaped(dtype, state), shaped(dtype, state)];
};

export const recurrentRules: Rules = forAll('LSTM GRU RNN', recurrent);
