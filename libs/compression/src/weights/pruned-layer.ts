import { edit, floatTensor, graphOf, type Model, toFloat32 } from '@espalier/onnx';
import type { LinearLayer } from '../channels/labels.js';
import type { Matrix } from '../linear-algebra/cholesky.js';
import { packWeights, weightMatrices } from '../structure/layer-weights.js';
import { type RemovalTrace, removeCheapest, solveRemaining, sortedCosts } from './removal-trace.js';

/** Weights of one group of a layer, and the order in which they would go. */
export interface GroupTraces {
  /** [outputs, columns] */
  readonly weight: Matrix;
  /** [columns, columns]: the squared error is (w - weight) H (w - weight)ᵀ, summed over outputs. */
  readonly hessian: Matrix;
  readonly traces: readonly RemovalTrace[];
}

/** A layer's weights as [outputs of a group, columns], a matrix a group. */
export function groupWeights(model: Model, layer: LinearLayer): Matrix[] {
  const weight = graphOf(model).constant(layer.weight);
  return weight ? weightMatrices(layer, weight.dims, toFloat32(weight), layer.group) : [];
}

/** A Gram with a share of its mean diagonal added to its diagonal. */
export function damped({ rows, cols, data }: Matrix, share: number): Matrix {
  const out = Float64Array.from(data);
  let trace = 0;
  for (let i = 0; i < cols; i++) trace += out[i * cols + i] as number;
  const lambda = (share * trace) / Math.max(cols, 1) + 1e-12;
  for (let i = 0; i < cols; i++) out[i * cols + i] = (out[i * cols + i] as number) + lambda;
  return { rows, cols, data: out };
}

/** Weights of each group once the `count` that cost the layer least are zero and the rest is solved for. */
export function removeWeights(groups: readonly GroupTraces[], count: number): Matrix[] {
  const limit = sortedCosts(groups.flatMap(({ traces }) => traces))[count - 1] ?? -1;
  const costs = groups.map(({ traces }) => sortedCosts(traces));
  let left = count - costs.reduce((sum, own) => sum + own.filter((cost) => cost < limit).length, 0);
  return groups.map(({ weight, hessian, traces }, g) => {
    const own = costs[g] ?? new Float64Array(0);
    const below = own.filter((cost) => cost < limit).length;
    const ties = Math.min(left, own.filter((cost) => cost === limit).length);
    left -= ties;
    return solveRemaining(weight, hessian, removeCheapest(traces, below + ties, weight));
  });
}

/** The model with other weights in one layer and, where given, another bias [outputs]. */
export function withWeights(
  model: Model,
  layer: LinearLayer,
  weights: readonly Matrix[],
  bias?: Float32Array,
): Model {
  const graph = graphOf(model);
  const node = graph.producer(layer.output);
  const dims = graph.constant(layer.weight)?.dims ?? [];
  const editor = edit(model);
  editor.setInitializer(layer.weight, floatTensor(dims, packWeights(layer, dims, weights)));
  if (node && bias) {
    const own = node.inputs[2] ?? '';
    const shared = own === '' || graph.consumers(own).length > 1;
    const name = shared ? editor.freshName(`${layer.output}_bias`) : own;
    editor.setInitializer(name, floatTensor([bias.length], bias));
    if (name !== own) editor.replaceInput(node, 2, name);
  }
  return editor.done();
}
