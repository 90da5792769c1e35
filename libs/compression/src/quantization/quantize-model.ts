import { graphOf, type Model, toFloat32 } from '@espalier/onnx';
import type { RunSettings } from '../statistics/run.js';
import type { Samples } from '../statistics/samples.js';
import { weightMatrices } from '../structure/layer-weights.js';
import { calibrateActivations } from './calibrate-activations.js';
import { planQuantization } from './plan.js';
import { guardBias, type LayerIntegers, writeQdq } from './qdq.js';
import { chooseWeightScales, roundToNearest } from './weight-scales.js';

export async function quantizePlain(
  model: Model,
  samples: Samples,
  indices: readonly number[],
  settings: RunSettings,
): Promise<Model> {
  const plan = planQuantization(model, new Set());
  const activations = await calibrateActivations(plan, samples, indices, settings);
  const graph = graphOf(model);
  const layers = new Map<string, LayerIntegers>();
  for (const layer of plan.layers) {
    const weight = graph.constant(layer.weight);
    const bias = graph.constant(layer.bias ?? '');
    if (!weight) continue;
    const b = bias && Float64Array.from(toFloat32(bias));
    const groups = weightMatrices(layer, weight.dims, toFloat32(weight), layer.group).map(
      (w, g) => {
        const scales = guardBias(
          chooseWeightScales(w, undefined, undefined),
          b?.subarray(g * w.rows),
          activations.get(plan.tensors.get(layer.input)?.scaleOf ?? '')?.scale ?? 1,
        );
        return roundToNearest(w, scales);
      },
    );
    layers.set(layer.output, { groups, bias: b });
  }
  return writeQdq(plan, { activations, layers });
}
