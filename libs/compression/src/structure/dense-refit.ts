import { edit, floatTensor, graphOf, type Model, toFloat32 } from '@espalier/onnx';
import type { ChannelGraph } from '../channels/channel-graph.js';
import { positionsKept, type RemovedUnits } from '../channels/cut.js';
import { type Matrix, pick } from '../linear-algebra/cholesky.js';
import type { DenseLayer } from '../statistics/dense.js';
import { packWeights, weightMatrices } from './layer-weights.js';
import { freeBias, multiply, ridgeStep } from './ridge.js';

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
    const all = Array.from({ length: statistics.reader.columns }, (_, i) => i);
    const kept = new Set(columns);
    const gone = all.filter((c) => !kept.has(c));
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
          all,
        );
        const moments = statistics.inputs[g];
        if (!moments) return pick(rows, null, columns);
        const w0 = pick(rows, null, columns);
        // What the columns that go gave, as far as those that stay move with them.
        const residual = multiply(pick(rows, null, gone), pick(moments.xx, gone, columns));
        const fitted = ridgeStep(pick(moments.xx, columns, columns), residual, w0, STRENGTH);
        const bias = Float64Array.from(outputs, (o) =>
          oldBias ? (toFloat32(oldBias)[o] ?? 0) : 0,
        );
        const part = (of: Matrix, at: readonly number[]): Float64Array =>
          freeBias(
            of,
            Float64Array.from(at, (c) => moments.meanX[c] as number),
            bias,
          );
        const [before, after] = [part(rows, all), part(fitted, columns)];
        biases.push(...bias.map((b, o) => b + (after[o] as number) - (before[o] as number)));
        return fitted;
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
