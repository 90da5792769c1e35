import type { Model } from '@espalier/onnx';
import { CompressionError } from '../errors.js';
import type { GramEngine } from '../statistics/gram.js';
import { checkCancelled, type RunSettings } from '../statistics/run.js';
import type { Samples } from '../statistics/samples.js';
import { calibrateActivations } from './calibrate-activations.js';
import { equalizeChannels } from './equalization.js';
import { type FitOptions, fitLayers } from './fit-layers.js';
import { type Divergence, divergenceValue, HeldOut, type JudgedOutput } from './held-out.js';
import { describeProcessor } from './int8-kernels.js';
import { chooseIslands } from './islands.js';
import { collectMoments, type LayerMoments } from './layer-moments.js';
import { plainGemm } from './plain-gemm.js';
import { planQuantization, type QuantizationPlan } from './plan.js';
import { type QuantizedParameters, writeQdq } from './qdq.js';
import { raiseOpset } from './raise-opset.js';

/** How a model is to be quantized. */
export interface QuantizeOptions {
  /** Keep sums of adjacent weights within 128, for x86 without VNNI. */
  readonly isaSafe: boolean;
  /** Weights that are 0 stay 0. */
  readonly keepZeros?: boolean;
}

/** What quantization reads besides the model. */
export interface QuantizeContext {
  readonly samples: Samples;
  /** Samples that scales, weights and biases are fitted on; up to 256 are used, spread evenly. */
  readonly indices: readonly number[];
  /** Samples that stages are judged on; up to 256 are used. */
  readonly heldOut: readonly number[];
  readonly output: JudgedOutput;
  readonly engine: GramEngine;
  readonly settings: RunSettings & { readonly seed: number };
}

/** One step, how far the model was from the float one with it, and whether it stayed. */
export type QuantizeStage = Divergence & {
  readonly name: QuantizeStageName;
  readonly kept: boolean;
};

export type QuantizeStageName =
  'rounding' | 'equalization' | 'bias-correction' | 'compensated-rounding' | 'islands';

export interface QuantizedModel {
  readonly model: Model;
  readonly numerics: {
    readonly activation: 'uint8';
    readonly weight: 'int8';
    readonly isaSafe: boolean;
    /** The processor that stages were judged on, and how it multiplies int8. */
    readonly measuredOn: string;
  };
  /** Layers that run in float: those that int8 hurts most, and those without an integer kernel. */
  readonly islands: readonly string[];
  readonly stages: readonly QuantizeStage[];
}

const MOST_FITTED = 256;
const MOST_JUDGED = 256;
/** Below this divergence (nats, or share of the outputs' variance) no island is looked for. */
const CLOSE_ENOUGH = 2e-3;

/**
 * Makes the static int8 form of a prepared model: uint8 activations, int8 weights with a scale an
 * output, in QuantizeLinear and DequantizeLinear nodes that ONNX Runtime replaces by integer kernels.
 * Each stage after the first stays only if it lowers the divergence on held-out samples.
 * @throws CompressionError COMPRESS_NOT_FLOAT, COMPRESS_CALIBRATION, COMPRESS_NOT_FINITE,
 * COMPRESS_CANCELLED
 * @throws OnnxError ONNX_UNSUPPORTED_OPSET when an older model cannot be raised to opset 13
 */
export async function quantizeModel(
  model: Model,
  context: QuantizeContext,
  options: QuantizeOptions,
): Promise<QuantizedModel> {
  const { samples, settings } = context;
  const float = plainGemm(raiseOpset(model));
  checkUsable(float, context);
  const indices = spread(context.indices, MOST_FITTED);
  const judged = spread(context.heldOut, MOST_JUDGED);
  const held = await HeldOut.open(float, samples, judged, settings, context.output);
  const work = { ...context, indices, held, options };
  const plain = await fitted(float, work);
  const stages = [...plain.stages];
  let best = plain.best;
  const evened = await equalizeChannels(float, samples, indices, settings);
  if (evened !== float) {
    const even = (await fitted(evened, work)).best;
    const kept = even.divergence < best.divergence;
    if (kept) best = even;
    stages.push({ name: 'equalization', ...held.divergence(even.divergence), kept });
  }
  return finish(held, best, stages, options.isaSafe);
}

/** An int8 form of a model, and how far from the float model it is. */
interface Draft {
  readonly plan: QuantizationPlan;
  readonly parameters: QuantizedParameters;
  readonly divergence: number;
}

/** Scales, rounding and biases for a float model, each step judged. */
async function fitted(
  source: Model,
  work: QuantizeContext & { readonly held: HeldOut; readonly options: QuantizeOptions },
): Promise<{ best: Draft; stages: QuantizeStage[] }> {
  const { samples, indices, settings, engine, held, options } = work;
  const plan = planQuantization(source, new Set());
  const activations = await calibrateActivations(plan, samples, indices, settings);
  const rules = { isaSafe: options.isaSafe, keepZeros: options.keepZeros ?? false };
  const stages: QuantizeStage[] = [];
  const attempt = async (
    name: QuantizeStageName,
    moments: LayerMoments | undefined,
    rounding: FitOptions['rounding'],
    before: Draft | undefined,
  ): Promise<Draft> => {
    checkCancelled(settings.signal);
    const layers = fitLayers(plan, activations, moments, { ...rules, rounding });
    const parameters = { activations, layers };
    const divergence = await held.judge(writeQdq(plan, parameters));
    const draft = { plan, parameters, divergence: divergenceValue(divergence) };
    const kept = !before || !(before.divergence <= draft.divergence);
    stages.push({ name, ...divergence, kept });
    return kept || !before ? draft : before;
  };
  let best = await attempt('rounding', undefined, 'nearest', undefined);
  const moments = await collectMoments(plan, activations, samples, indices, engine, settings);
  best = await attempt('bias-correction', moments, 'nearest', best);
  best = await attempt('compensated-rounding', moments, 'compensated', best);
  return { best, stages };
}

function checkUsable(model: Model, { indices, heldOut }: QuantizeContext): void {
  if (planQuantization(model, new Set()).layers.length === 0) {
    throw new CompressionError(
      'COMPRESS_NOT_FLOAT',
      'The model has no Conv, Gemm or MatMul with constant float32 weights: there is nothing to quantize.',
    );
  }
  if (indices.length === 0 || heldOut.length === 0) {
    throw new CompressionError(
      'COMPRESS_CALIBRATION',
      `Quantization fits on some samples and judges on others; it got ${indices.length} and ${heldOut.length}. Give more calibration samples.`,
    );
  }
}

async function finish(
  held: HeldOut,
  { plan, parameters, divergence: before }: Draft,
  stages: QuantizeStage[],
  isaSafe: boolean,
): Promise<QuantizedModel> {
  let model = writeQdq(plan, parameters);
  const islands = [...plan.floatLayers];
  if (held.relative(before) > CLOSE_ENOUGH) {
    const judge = async (candidate: Model): Promise<number> =>
      divergenceValue(await held.judge(candidate));
    const found = await chooseIslands({ plan, parameters, before, judge });
    if (found) {
      model = found.model;
      islands.push(...found.layers);
    }
    stages.push({
      name: 'islands',
      ...held.divergence(found?.after ?? before),
      kept: found !== undefined,
    });
  }
  return {
    model,
    numerics: {
      activation: 'uint8',
      weight: 'int8',
      isaSafe,
      measuredOn: await describeProcessor(),
    },
    islands,
    stages,
  };
}

/** At most so many of the samples, at even distances. */
function spread(indices: readonly number[], most: number): readonly number[] {
  if (indices.length <= most) return indices;
  return Array.from(
    { length: most },
    (_, i) => indices[Math.floor((i * indices.length) / most)] ?? 0,
  );
}
