import {
  activationArena,
  byteLength,
  elementCount,
  graphOf,
  inferShapes,
  type Model,
} from '@espalier/onnx';
import { peakActivationBytes } from './arena.js';
import type { CandidateCosts } from './costs.js';
import { GraphFusion } from './fusion.js';

/**
 * What a model costs at a precision, fused as ONNX Runtime fuses it, apart from any device.
 * `int8` of a float model describes what its static QDQ form would run.
 * @throws TuningError TUNING_GRAPH when the shape of a convolution or matrix product is not known
 */
export function describeCandidate(model: Model, precision: 'fp32' | 'int8'): CandidateCosts {
  const graph = graphOf(model);
  const shapes = inferShapes(model);
  const quantized = graph.nodes.some((node) => node.op === 'DequantizeLinear');
  const assumed = precision === 'int8' && !quantized;
  const nodes = new GraphFusion(graph, shapes, assumed).run();
  const { weightBytes } = activationArena(model);
  const bytesOf = (names: readonly { name: string }[]) =>
    names.reduce((sum, { name }) => {
      const shape = shapes.get(name);
      return sum + (shape?.dims ? byteLength(shape.dtype, elementCount(shape.dims)) : 0);
    }, 0);
  const inputBytes = bytesOf(graph.inputs);
  return {
    schemaVersion: 1,
    precision,
    nodes,
    weightBytes: assumed ? Math.ceil(weightBytes / 4) : weightBytes,
    arenaBytes: peakActivationBytes(nodes, inputBytes),
    inputBytes,
    outputBytes: bytesOf(graph.outputs),
  };
}
