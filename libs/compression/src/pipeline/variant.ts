import type { Model } from '@espalier/onnx';
import { cutChannels } from '../channels/cut.js';
import { agreement, classesOf, outputsOf } from '../evaluate.js';
import type { CompressionReport } from '../report/report.js';
import { quantizeModel } from '../quantization/index.js';
import { outputLoss } from '../search/sensitivity.js';
import { removedAt, type Widths } from '../search/widths.js';
import { refitLayers } from '../structure/refit.js';
import type { CompressHooks, Precision } from './request.js';
import type { Stopwatch } from './stopwatch.js';
import type { Workbench } from './workbench.js';

export type Stage = CompressionReport['stages'][number];

/** What is to be made. */
export interface VariantPlan {
  readonly widths: Widths;
  readonly precision: Precision;
  readonly sparsity: number;
  readonly isaSafe: boolean;
}

/** A variant as made, before it is measured on anything but the gate split. */
export interface Variant {
  readonly model: Model;
  readonly plan: VariantPlan;
  readonly stages: readonly Stage[];
  readonly islands: readonly string[];
  readonly numerics: CompressionReport['variant']['numerics'];
  /** Of the last stage kept. */
  readonly loss: number;
  readonly accuracy: number | null;
}

/** One step of making a variant; stages run in this order and each is gated. */
interface StagePass {
  readonly name: string;
  wanted(plan: VariantPlan): boolean;
  /** A stage that is asked for by the plan stays whatever it costs; others go when they harm. */
  readonly optional: boolean;
  run(draft: Draft, tools: Tools): Promise<Draft>;
}

interface Draft {
  readonly model: Model;
  readonly islands: readonly string[];
  readonly numerics: Variant['numerics'];
}

interface Tools {
  readonly bench: Workbench;
  readonly plan: VariantPlan;
  readonly hooks: CompressHooks;
}

const STAGES: readonly StagePass[] = [
  {
    name: 'cut',
    optional: false,
    wanted: ({ widths }) => widths.length > 0,
    run: async (draft, { bench, plan }) => ({
      ...draft,
      model: cutChannels(bench.channels, removedAt(bench.groups, plan.widths)),
    }),
  },
  {
    name: 'refit',
    optional: true,
    wanted: ({ widths }) => widths.length > 0,
    run: async (draft, { bench, plan, hooks }) => {
      const { channels, dense, samples, fit, engine, settings, groups } = bench;
      const context = { channels, dense, samples, indices: fit, engine, settings };
      const onLayer = (done: number, total: number): void =>
        hooks.onProgress?.({ stage: 'refit', done, total });
      const { model } = await refitLayers(
        draft.model,
        removedAt(groups, plan.widths),
        context,
        onLayer,
      );
      return { ...draft, model };
    },
  },
  {
    name: 'quantize',
    optional: false,
    wanted: ({ precision }) => precision === 'int8',
    run: async (draft, { bench, plan }) => {
      const { samples, fit, gate, settings, output, engine } = bench;
      const context = { samples, indices: fit, heldOut: gate, output, engine, settings };
      const options = { isaSafe: plan.isaSafe, keepZeros: plan.sparsity > 0 };
      const { model, islands, numerics } = await quantizeModel(draft.model, context, options);
      return { model, islands, numerics };
    },
  },
];

/**
 * Makes a variant: structure first, then weights, then precision. Loss and accuracy are measured on
 * the gate split after each stage; an optional stage that harms is undone.
 */
export async function makeVariant(
  bench: Workbench,
  plan: VariantPlan,
  watch: Stopwatch,
  hooks: CompressHooks,
): Promise<Variant> {
  let draft: Draft = {
    model: bench.model,
    islands: [],
    numerics: {
      activation: 'float32',
      weight: 'float32',
      isaSafe: true,
      measuredOn: 'ONNX Runtime, CPU',
    },
  };
  const stages: Stage[] = [];
  let last: Stage | undefined;
  for (const pass of STAGES) {
    if (!pass.wanted(plan)) continue;
    hooks.onProgress?.({ stage: pass.name, done: 0, total: 1 });
    const next = await watch.time(pass.name, () => pass.run(draft, { bench, plan, hooks }));
    const measured = await watch.time('gate', () => measureStage(pass.name, next.model, bench));
    const kept = !pass.optional || !last || measured.loss <= last.loss;
    stages.push({ ...measured, kept });
    if (kept) [draft, last] = [next, measured];
    hooks.onProgress?.({ stage: pass.name, done: 1, total: 1 });
  }
  last ??= await measureStage('dense', draft.model, bench);
  return { ...draft, plan, stages, loss: last.loss, accuracy: last.accuracy };
}

async function measureStage(name: string, model: Model, bench: Workbench): Promise<Stage> {
  const { samples, gate, gateReference, output, settings } = bench;
  const outputs = await outputsOf(model, samples, gate, { ...settings, output: output.name });
  const { labels } = samples;
  const accuracy =
    labels && output.task === 'classification'
      ? agreement(
          classesOf(outputs),
          gate.map((i) => labels[i] ?? -1),
        )
      : null;
  return { name, loss: outputLoss(gateReference, outputs, output), accuracy, kept: true };
}
