import type { Node } from '@espalier/onnx';
import type { Propagation } from '../propagation.js';
import { channelNormalization, convolution, gemm, matmul } from './layers.js';
import { concat, gather, reshape, slice, split, transpose } from './layout.js';
import { broadcast, BROADCAST, unary, UNARY } from './pointwise.js';
import { alongAxis, pad, pool, reduce, resize, shape } from './spatial.js';

/** How an operator treats the channels of its inputs. */
export type Rule = (node: Node, propagation: Propagation) => void;

const each = (names: readonly string[], rule: Rule): [string, Rule][] =>
  names.map((name) => [name, rule]);

/** The rule of each operator that channels can be followed through; all others lock their inputs. */
export const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...each(UNARY, unary),
  ...each(BROADCAST, broadcast),
  ...each(['Conv', 'ConvTranspose'], convolution),
  ...each(['BatchNormalization', 'InstanceNormalization'], channelNormalization),
  ...each(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'], reshape),
  ...each(['MaxPool', 'AveragePool', 'LpPool', 'GlobalAveragePool', 'GlobalMaxPool'], pool),
  ...each(
    [
      'ReduceMean',
      'ReduceSum',
      'ReduceMax',
      'ReduceMin',
      'ReduceL1',
      'ReduceL2',
      'ReduceSumSquare',
    ],
    reduce,
  ),
  ...each(['Softmax', 'LogSoftmax'], alongAxis),
  ...each(['Resize', 'Upsample'], resize),
  ['Gemm', gemm],
  ['MatMul', matmul],
  ['Transpose', transpose],
  ['Concat', concat],
  ['Split', split],
  ['Slice', slice],
  ['Gather', gather],
  ['Pad', pad],
  ['Shape', shape],
]);
