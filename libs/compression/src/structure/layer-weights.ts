import type { Node } from '@espalier/onnx';
import type { LinearLayer } from '../channels/labels.js';
import type { Matrix } from '../linear-algebra/cholesky.js';

/** Weights as [outputs of a group, columns of its rows], a matrix a group. */
export function weightMatrices(
  layer: LinearLayer,
  dims: readonly number[],
  data: Float32Array,
  group: number,
): Matrix[] {
  const at = weightIndex(layer, dims, group);
  return Array.from({ length: group }, (_, g) => {
    const values = new Float64Array(at.outputs * at.columns);
    for (let o = 0; o < at.outputs; o++) {
      for (let c = 0; c < at.columns; c++)
        values[o * at.columns + c] = data[at.index(g, o, c)] as number;
    }
    return { rows: at.outputs, cols: at.columns, data: values };
  });
}

/** The inverse of `weightMatrices`. */
export function packWeights(
  layer: LinearLayer,
  dims: readonly number[],
  matrices: readonly Matrix[],
): Float32Array {
  const at = weightIndex(layer, dims, matrices.length);
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
  matrices.forEach((matrix, g) => {
    for (let o = 0; o < at.outputs; o++) {
      for (let c = 0; c < at.columns; c++)
        data[at.index(g, o, c)] = matrix.data[o * at.columns + c] as number;
    }
  });
  return data;
}

function weightIndex(
  layer: LinearLayer,
  dims: readonly number[],
  group: number,
): { outputs: number; columns: number; index(g: number, o: number, c: number): number } {
  const [first = 1, second = 1] = dims;
  const taps = dims.slice(2).reduce((a, b) => a * b, 1);
  if (layer.kind === 'conv') {
    const outputs = first / group;
    const columns = second * taps;
    return { outputs, columns, index: (g, o, c) => (g * outputs + o) * columns + c };
  }
  if (layer.kind === 'conv-transpose') {
    const inputs = first / group;
    return {
      outputs: second,
      columns: inputs * taps,
      index: (g, o, c) => ((g * inputs + Math.floor(c / taps)) * second + o) * taps + (c % taps),
    };
  }
  const outputsFirst = layer.kind === 'gemm' && transB(layer.node);
  const [outputs, columns] = outputsFirst ? [first, second] : [second, first];
  return {
    outputs,
    columns,
    index: (_g, o, c) => (outputsFirst ? o * columns + c : c * outputs + o),
  };
}

const transB = (node: Node): boolean =>
  node.proto.attribute.some(({ name, i }) => name === 'transB' && Number(i) === 1);
