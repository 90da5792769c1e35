import { writeModel } from '@espalier/onnx';
import type { Choices } from '../search/allocate.js';
import type { Widths } from '../search/widths.js';
import { achievedGoals, isDear, limitsCost, proposeWidths, widthsAtMacs } from './goals.js';
import { refineChoices } from './refinement.js';
import type { CompressHooks, CompressRequest, Precision } from './request.js';
import type { Stopwatch } from './stopwatch.js';
import { makeVariant, structureLoss, type Variant } from './variant.js';
import type { Workbench } from './workbench.js';

/** Tries at a size, RAM or latency goal that the finished variant missed, each tighter by its miss. */
const TIGHTENINGS = 3;

/** Nats on the gate split below which another allocation is not worth its time. */
const SMALL_LOSS = 0.02;

/** Most neighbours of a proposal that are measured, where proposing is cheap. */
const NEIGHBOURS = 8;

/** Halvings of the search for the smallest variant within an accuracy drop. */
const BISECTIONS = 5;

/** Most points of 100 that int8 may cost on the gate split before `auto` prefers fp32. */
const AUTO_INT8_POINTS = 1;

/** A variant, and what it was chosen by. */
export interface Chosen {
  readonly variant: Variant;
  /** What each group and block offered, and lost, when the widths were decided. */
  readonly choices: readonly Choices[];
  /** Whether those losses were measured after real fits. */
  readonly refined: boolean;
  /** Other variants built on the way, with their loss on the gate split. */
  readonly built: readonly { readonly widths: Widths; readonly loss: number }[];
}

/**
 * Makes the variant that keeps the goals: in one precision, or in the one of both that is worth more.
 * Judged on the gate split alone.
 */
export async function chooseVariant(
  bench: Workbench,
  request: CompressRequest,
  watch: Stopwatch,
  hooks: CompressHooks,
): Promise<Chosen> {
  if (request.precision !== 'auto')
    return variantFor(bench, request, request.precision, watch, hooks);
  const choices = {
    fp32: await variantFor(bench, request, 'fp32', watch, hooks),
    int8: await variantFor(bench, request, 'int8', watch, hooks),
  };
  const [fp32, int8] = [choices.fp32.variant, choices.int8.variant];
  const points = 100 * ((fp32.accuracy ?? 0) - (int8.accuracy ?? 0));
  const harmless =
    fp32.accuracy === null ? int8.loss <= 2 * fp32.loss + 0.01 : points <= AUTO_INT8_POINTS;
  const slower =
    request.latency && request.latency(int8.model, 'int8') > request.latency(fp32.model, 'fp32');
  const missed = (variant: Variant): boolean => misses(bench, request, variant) > 1;
  const preferred = harmless && !slower ? choices.int8 : choices.fp32;
  if (missed(fp32) === missed(int8)) return preferred;
  return missed(fp32) ? choices.int8 : choices.fp32;
}

/** The variant of one precision: to the cost goals, or as small as the accuracy goal allows. */
async function variantFor(
  bench: Workbench,
  request: CompressRequest,
  precision: Precision,
  watch: Stopwatch,
  hooks: CompressHooks,
): Promise<Chosen> {
  const built: { widths: Widths; loss: number }[] = [];
  const make = async (widths: Widths): Promise<Variant> => {
    const sparsity = request.sparsity ?? 0;
    const plan = { widths, precision, sparsity, isaSafe: request.isaSafe ?? true };
    const variant = await makeVariant(bench, plan, watch, hooks);
    if (widths.length > 0) built.push({ widths, loss: structureLoss(variant) });
    return variant;
  };
  const unrefined = { choices: bench.choices, refined: false, built };
  if (limitsCost(request.goals)) {
    const propose = (choices: readonly Choices[], slack: number): Promise<Widths> =>
      watch.time('search', () => proposeWidths(bench, choices, request, precision, slack).widths);
    const first = await propose(bench.choices, 1);
    const plan = { widths: first, precision: 'fp32', sparsity: 0, isaSafe: true } as const;
    const { loss } = await makeVariant(bench, plan, watch, hooks);
    const neighbours = isDear(request.goals) ? 0 : NEIGHBOURS;
    const refined = loss >= SMALL_LOSS;
    const choices = refined
      ? await watch.time('refine', () =>
          refineChoices(bench, (offered) => propose(offered, 1), neighbours, hooks),
        )
      : bench.choices;
    let slack = 1;
    let variant: Variant | undefined;
    for (let attempt = 0; attempt <= TIGHTENINGS; attempt++) {
      variant = await make(await propose(choices, slack));
      const miss = misses(bench, request, variant);
      if (miss <= 1) break;
      slack *= 0.99 / miss;
    }
    if (variant) return { variant, choices, refined, built };
  }
  const drop = request.goals.find(({ name }) => name === 'max-accuracy-drop')?.target;
  const variant = drop === undefined ? await make([]) : await smallestWithin(bench, drop, make);
  return { variant, ...unrefined };
}

/** Largest share of any cost goal's target that a finished variant takes. */
function misses(bench: Workbench, request: CompressRequest, variant: Variant): number {
  const cost = request.goals.filter(({ name }) => name !== 'max-accuracy-drop');
  const reached = achievedGoals(cost, measuredOf(bench, request, variant, undefined));
  return reached.reduce((worst, { achieved, target }) => Math.max(worst, achieved / target), 0);
}

/** What goals are held against. */
export function measuredOf(
  bench: Workbench,
  request: CompressRequest,
  variant: Variant,
  accuracyDrop: number | undefined,
): Parameters<typeof achievedGoals>[1] {
  return {
    original: bench.original,
    variant: variant.model,
    bytes: writeModel(variant.model).length,
    latencyMs: request.latency?.(variant.model, variant.plan.precision),
    accuracyDrop,
  };
}

async function smallestWithin(
  bench: Workbench,
  drop: number,
  make: (widths: Widths) => Promise<Variant>,
): Promise<Variant> {
  let best = await make([]);
  const before = best.accuracy;
  let [low, high] = [0.1, 1];
  for (let i = 0; i < BISECTIONS; i++) {
    const ratio = (low + high) / 2;
    const variant = await make(widthsAtMacs(bench, ratio).widths);
    const lost =
      before === null || variant.accuracy === null
        ? 100 * variant.loss
        : 100 * (before - variant.accuracy);
    if (lost <= drop) [best, high] = [variant, ratio];
    else low = ratio;
  }
  return best;
}
