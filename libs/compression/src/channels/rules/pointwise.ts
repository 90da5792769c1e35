import type { Node } from '@espalier/onnx';
import type { AxisIds } from '../labels.js';
import { describe, type Propagation } from '../propagation.js';

/** Operators of one activation that act on each element alone (later inputs are scalars). */
export const UNARY = [
  'Relu', 'LeakyRelu', 'Clip', 'Sigmoid', 'HardSigmoid', 'HardSwish', 'Swish', 'Tanh', 'Identity',
  'Dropout', 'Cast', 'Elu', 'Selu', 'Celu', 'Softplus', 'Softsign', 'ThresholdedRelu', 'Erf',
  'Gelu', 'Mish', 'Exp', 'Log', 'Neg', 'Abs', 'Sqrt', 'Reciprocal', 'Floor', 'Ceil', 'Round', 'Sign',
  'Sin', 'Cos', 'Shrink',
] as const; // prettier-ignore

/** Operators of several inputs that broadcast. */
export const BROADCAST = [
  'Add', 'Sub', 'Mul', 'Div', 'Pow', 'Min', 'Max', 'Sum', 'Mean', 'PRelu', 'Where',
] as const; // prettier-ignore

/** Ids pass through. */
export function unary(node: Node, p: Propagation): void {
  const input = node.inputs[0];
  const labels = input === undefined ? undefined : p.labels.get(input);
  if (!labels) return;
  for (const output of node.outputs) if (output !== '') p.carry(output, labels);
}

/**
 * Aligned from the right, as ONNX broadcasts: ids of all inputs that are as long as the output are
 * tied; constants are sliced; an activation without ids that spans the axis locks it.
 */
export function broadcast(node: Node, p: Propagation): void {
  const output = node.outputs[0];
  const outDims = output === undefined ? undefined : p.dims(output);
  if (output === undefined || !outDims) {
    p.lockInputs(node, `${describe(node)} has an unknown shape`);
    return;
  }
  const rank = outDims.length;
  let joined: AxisIds | undefined;
  for (const input of node.inputs) {
    const labels = p.labels.get(input);
    const dims = p.dims(input);
    if (!labels || !dims) continue;
    const axis = labels.axis + rank - dims.length;
    if (dims[labels.axis] !== outDims[axis] || (joined && joined.axis !== axis)) {
      p.lockIds(labels.ids, `${describe(node)} broadcasts the channel axis`);
      continue;
    }
    if (joined) p.tie(joined.ids, labels.ids);
    else joined = { axis, ids: labels.ids };
  }
  if (!joined) return;
  const { axis, ids } = joined;
  node.inputs.forEach((input, index) => {
    const dims = p.dims(input);
    if (p.labels.has(input)) return;
    const own = dims === undefined ? undefined : axis - (rank - dims.length);
    if (dims && own !== undefined && (own < 0 || dims[own] === 1)) return;
    if (dims && own !== undefined && p.graph.constant(input)) p.slice(node, index, own, ids);
    else p.lockIds(ids, `${describe(node)} adds "${input}", whose channels cannot be cut`);
  });
  p.carry(output, { axis, ids });
}
