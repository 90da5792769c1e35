import { edit, floatTensor, graphOf, type Model, toFloat32 } from '@espalier/onnx';
import type { ChannelGraph } from '../channels/channel-graph.js';
import { positionsKept, type RemovedUnits } from '../channels/cut.js';
import type { DenseLayer } from '../statistics/dense.js';
import { packWeights, weightMatrices } from './layer-weights.js';
import { multiply, restrict, ridgeToward } from './ridge.js';
import { pick } from '../linear-algebra/cholesky.js';

/** Strength of the quick fit: its moments are of the dense model, so it needs little. */
const STRENGTH = 1e-3;

/**
 * Refits the layers that lost inputs from the dense model's moments alone, without running the cut
 * one: what the search judges candidates by. Sequential refitting comes after.
 */
export function refitFromDense(
  cut: Model,
  channels: ChannelGraph,
  removed: RemovedUnits,
  dense: ReadonlyMap<string, DenseLayer>,
): Model {
  const graph = graphOf(channels.model);
  const cutGraph = graphOf(cut);
  const stays = (id: number): boolean => !removed.has(channels.rootOf(id));
  const editor = edit(cut);
  for (const layer of channels.layers) {
    const statistics = dense.get(layer.output);
    const weight = graph.constant(layer.weight);
    const node = cutGraph.producer(layer.output);
    if (!layer.inputIds || layer.inputIds.every(stays) || !statistics || !weight || !node) continue;
    const keptIn = positionsKept(layer.inputIds, stays);
    const taps = statistics.reader.columns / layer.inputIds.length;
    const columns = keptIn.flatMap((p) => Array.from({ length: taps }, (_, t) => p * taps + t));
    const keptOut = positionsKept(layer.outputIds, stays);
    const perGroup = layer.outputIds.length / layer.group;
    const cutWeight = cutGraph.constant(node.inputs[1] ?? '');
    if (!cutWeight) continue;
    const oldBias = layer.bias === undefined ? undefined : graph.constant(layer.bias);
    const biases: number[] = [];
    const fitted = weightMatrices(layer, weight.dims, toFloat32(weight), layer.group).map(
      (whole, g) => {
        const outputs = keptOut.filter((o) => Math.floor(o / perGroup) === g);
        const rows = pick(
          whole,
          outputs.map((o) => o % perGroup),
          Array.from({ length: whole.cols }, (_, i) => i),
        );
        const moments = statistics.inputs[g];
        if (!moments) return pick(rows, null, columns);
        const bias = outputs.map((o) => (oldBias ? (toFloat32(oldBias)[o] ?? 0) : 0));
        const meanT = Float64Array.from(bias, (b, o) => {
          let sum = b;
          for (let j = 0; j < rows.cols; j++)
            sum += (rows.data[o * rows.cols + j] as number) * (moments.meanX[j] as number);
          return sum;
        });
        const tx = multiply(rows, moments.xx);
        const part = restrict({ ...moments, tx, meanT, tt: new Float64Array(rows.rows) }, columns);
        const fit = ridgeToward(part, pick(rows, null, columns), STRENGTH);
        biases.push(...fit.bias);
        return fit.weight;
      },
    );
    editor.setInitializer(
      node.inputs[1] ?? '',
      floatTensor(cutWeight.dims, packWeights(layer, cutWeight.dims, fitted)),
    );
    if (layer.kind !== 'matmul' && biases.length === keptOut.length) {
      const name = oldBias ? (node.inputs[2] ?? '') : editor.freshName(`${layer.output}_bias`);
      editor.setInitializer(name, floatTensor([biases.length], Float32Array.from(biases)));
      if (!oldBias) editor.replaceInput(node, 2, name);
    }
  }
  return editor.done();
}
