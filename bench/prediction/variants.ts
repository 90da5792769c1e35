import { type Random, seededRandom } from '@espalier/dataset';
import { floatTensor, foldConstants, graphOf, type Model } from '@espalier/onnx';
import {
  buildChannelGraph,
  partsToKeep,
} from '../../libs/compression/src/channels/channel-graph.js';
import { cutChannels } from '../../libs/compression/src/channels/cut.js';
import { prepareModel } from '../../libs/compression/src/prepare/index.js';
import { calibrateActivations } from '../../libs/compression/src/quantization/calibrate-activations.js';
import { fitLayers } from '../../libs/compression/src/quantization/fit-layers.js';
import { plainGemm } from '../../libs/compression/src/quantization/plain-gemm.js';
import { planQuantization } from '../../libs/compression/src/quantization/plan.js';
import { writeQdq } from '../../libs/compression/src/quantization/qdq.js';
import { raiseOpset } from '../../libs/compression/src/quantization/raise-opset.js';
import type { Samples } from '../../libs/compression/src/statistics/samples.js';

/** The least share of a group's channels that a random cut keeps. */
const LEAST_KEPT = 0.3;
/** Samples that int8 ranges are set on: the time of an inference does not depend on them. */
const CALIBRATION_SAMPLES = 4;

/** A cut of every group of channels to a random width. */
export function randomCut(model: Model, random: Random): Model {
  const channels = buildChannelGraph(prepareModel(foldConstants(model)));
  const removed = new Set<number>();
  for (const { units } of channels.groups) {
    const kept = Math.max(
      1,
      Math.round(units.length * (LEAST_KEPT + (1 - LEAST_KEPT) * random.next())),
    );
    for (const unit of random.shuffle(units).slice(kept)) removed.add(unit.root);
  }
  for (const part of partsToKeep(channels)) {
    const roots = Array.from(part, (id) => channels.rootOf(id));
    const [first] = roots;
    if (first !== undefined && roots.every((root) => removed.has(root))) removed.delete(first);
  }
  return cutChannels(channels, removed);
}

/** The static int8 form of a model, its ranges from random inputs. */
export async function int8Form(model: Model): Promise<Model> {
  const float = plainGemm(raiseOpset(prepareModel(foldConstants(model))));
  const plan = planQuantization(float, new Set());
  const indices = Array.from({ length: CALIBRATION_SAMPLES }, (_value, at) => at);
  const settings = { threads: 1 };
  const activations = await calibrateActivations(plan, randomSamples(float), indices, settings);
  const rules = { isaSafe: false, keepZeros: false, rounding: 'nearest' } as const;
  return writeQdq(plan, { activations, layers: fitLayers(plan, activations, undefined, rules) });
}

function randomSamples(model: Model): Samples {
  const [input] = graphOf(model).inputs;
  const dims = (input?.shape ?? []).map((dim) => (typeof dim === 'number' ? dim : 1));
  const size = dims.reduce((product, dim) => product * dim, 1);
  return {
    ...{ count: CALIBRATION_SAMPLES, batch: 1, fixedBatch: true, labels: undefined },
    feed: ([at = 0]) => {
      const random = seededRandom(at + 1);
      const values = Float32Array.from({ length: size }, () => random.normal());
      return { [input?.name ?? '']: floatTensor(dims, values) };
    },
  };
}
