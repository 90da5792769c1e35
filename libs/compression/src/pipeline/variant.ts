import type { Model } from '@espalier/onnx';
import { agreement, classesOf, outputsOf } from '../evaluate.js';
import type { CompressionReport } from '../report/report.js';
import { dropInferenceNoops } from '../prepare/drop-inference-noops.js';
import { quantizeModel } from '../quantization/index.js';
import { outputLoss } from '../search/sensitivity.js';
import { droppedAt, modelAt, removedAt, type Space, type Widths } from '../search/widths.js';
import { swapAtWidth } from '../structure/order-units.js';
import { refitLayers } from '../structure/refit.js';
import { pruneWeights } from '../weights/index.js';
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
  readonly space: Space;
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

/** A model on its way. */
export interface Draft {
  readonly model: Model;
  readonly islands: readonly string[];
  readonly numerics: Variant['numerics'];
}

interface Tools {
  readonly bench: Workbench;
  /** The bench's, its orders made for the plan's widths. */
  readonly space: Space;
  readonly plan: VariantPlan;
  readonly hooks: CompressHooks;
}

/** Stages that change the model's shape. */
const STRUCTURE: readonly StagePass[] = [
  {
    name: 'cut',
    optional: false,
    wanted: ({ widths }) => widths.length > 0,
    run: async (draft, { space, plan }) => ({ ...draft, model: modelAt(space, plan.widths) }),
  },
  {
    name: 'refit',
    optional: true,
    wanted: ({ widths }) => widths.length > 0,
    run: async (draft, { bench, space, plan, hooks }) => {
      const { channels, dense, samples, fit, engine, settings } = bench;
      const { model } = await refitLayers(
        draft.model,
        removedAt(space, plan.widths),
        droppedAt(space, plan.widths),
        { channels, dense, samples, indices: fit, engine, settings },
        (done, total) => hooks.onProgress?.({ stage: 'refit', done, total }),
      );
      return { ...draft, model };
    },
  },
];

/** Stages that change what numbers stand in the model, not its shape. */
const NUMBERS: readonly StagePass[] = [
  {
    name: 'sparsify',
    optional: false,
    wanted: ({ sparsity }) => sparsity > 0,
    run: async (draft, { bench, plan, hooks }) => {
      const { samples, fit, engine, settings, output } = bench;
      const onLayer = (done: number, total: number): void =>
        hooks.onProgress?.({ stage: 'sparsify', done, total });
      const context = { samples, indices: fit, engine, settings, output };
      const { model } = await pruneWeights(draft.model, plan.sparsity, context, onLayer);
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
 * the gate split after each stage; an optional stage that harms is undone. The structure of the last
 * few widths is kept: plans that differ in numbers alone share it.
 */
export async function makeVariant(
  bench: Workbench,
  plan: VariantPlan,
  watch: Stopwatch,
  hooks: CompressHooks,
): Promise<Variant> {
  const key = plan.widths.join();
  let made = bench.structures.get(key);
  if (!made) {
    const space = await watch.time('swap', () => spaceFor(bench, plan.widths));
    const dense = { draft: denseDraft(bench.model), stages: [], space };
    const shaped = await runStages(STRUCTURE, dense, { bench, space, plan, hooks }, watch);
    // A dropped block leaves an Identity, which was there for the fit to find the sum by.
    const model = dropInferenceNoops(shaped.draft.model);
    made = { ...shaped, draft: { ...shaped.draft, model } };
    bench.structures.set(key, made);
    const [oldest] = bench.structures.keys();
    if (bench.structures.size > STRUCTURES_KEPT && oldest !== undefined)
      bench.structures.delete(oldest);
  }
  const { space } = made;
  const { draft, stages } = await runStages(NUMBERS, made, { bench, space, plan, hooks }, watch);
  const last =
    stages.findLast(({ kept }) => kept) ?? (await measureStage('dense', draft.model, bench));
  return { ...draft, plan, space, stages, loss: last.loss, accuracy: last.accuracy };
}

/** The bench's space with each group's order improved for the width that it gets. */
function spaceFor({ channels, groups, blocks, dense }: Workbench, widths: Widths): Space {
  if (widths.length === 0) return { channels, groups, blocks };
  const swapped = groups.map((group, g) =>
    swapAtWidth(channels, group, widths[g] ?? group.roots.length, dense),
  );
  return { channels, groups: swapped, blocks };
}

/** Structures kept for plans that differ in numbers alone. */
const STRUCTURES_KEPT = 3;

const denseDraft = (model: Model): Draft => ({
  model,
  islands: [],
  numerics: {
    activation: 'float32',
    weight: 'float32',
    isaSafe: true,
    measuredOn: 'ONNX Runtime, CPU',
  },
});

/** A draft, and the stages that made it. */
export interface Made {
  readonly draft: Draft;
  readonly space: Space;
  readonly stages: readonly Stage[];
}

async function runStages(
  passes: readonly StagePass[],
  from: Made,
  tools: Tools,
  watch: Stopwatch,
): Promise<Made> {
  const { bench, plan, hooks } = tools;
  let { draft } = from;
  const stages = [...from.stages];
  for (const pass of passes) {
    if (!pass.wanted(plan)) continue;
    hooks.onProgress?.({ stage: pass.name, done: 0, total: 1 });
    const next = await watch.time(pass.name, () => pass.run(draft, tools));
    const measured = await watch.time('gate', () => measureStage(pass.name, next.model, bench));
    const last = stages.findLast(({ kept }) => kept);
    const kept = !pass.optional || !last || measured.loss <= last.loss;
    stages.push({ ...measured, kept });
    if (kept) draft = next;
    hooks.onProgress?.({ stage: pass.name, done: 1, total: 1 });
  }
  return { ...from, draft, stages };
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

/** Loss on the gate split once the shape is made, before weights and precision change. */
export function structureLoss({ stages }: Pick<Variant, 'stages'>): number {
  const shaped = stages.findLast(({ name, kept }) => kept && (name === 'cut' || name === 'refit'));
  return shaped?.loss ?? 0;
}
