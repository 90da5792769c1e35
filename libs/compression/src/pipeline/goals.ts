import { activationArena, countModel, type Model, writeModel } from '@espalier/onnx';
import { type Allocation, allocate, type Choices } from '../search/allocate.js';
import { denseWidths, latencySteps, modelAt, type Widths } from '../search/widths.js';
import type { CompressRequest, Goal, Precision } from './request.js';
import type { Workbench } from './workbench.js';

const KIB = 1024;

/** Bytes of a weight in each precision, for proposing; the written file is what counts. */
const WEIGHT_BYTES: Record<Precision, number> = { fp32: 4, int8: 1 };

/** Levels a group offers while costs need the cut model. */
const COARSE_LEVELS = 8;

/** Cut models that a search may build to cost widths. */
const DEAR_EVALUATIONS = 4000;

/** Goals that a choice of widths decides. */
const COST_GOALS = ['macs-ratio', 'max-size-kib', 'max-ram-kib', 'max-latency-ms'] as const;

/** Whether costing widths takes building the model: RAM and latency do, sizes are tables. */
export function isDear(goals: readonly Goal[]): boolean {
  return goals.some(({ name }) => name === 'max-ram-kib' || name === 'max-latency-ms');
}

/** Whether any goal limits a cost. */
export function limitsCost(goals: readonly Goal[]): boolean {
  return goals.some(({ name }) => COST_GOALS.some((cost) => cost === name));
}

/**
 * Proposes widths that keep every cost goal: the cost of widths is the largest share of any target.
 * @param choices what each group and block offers, and loses
 * @param slack factor below 1 that tightens size, RAM and latency after a variant missed them
 */
export function proposeWidths(
  bench: Workbench,
  choices: readonly Choices[],
  request: CompressRequest,
  precision: Precision,
  slack: number,
): Allocation {
  const exact = isDear(request.goals);
  const cost = costOf(bench, request, precision, slack);
  const offered = request.goals.some(({ name }) => name === 'max-latency-ms')
    ? onSteps(bench, choices, request, precision).map(coarse)
    : exact
      ? choices.map(coarse)
      : choices;
  return allocate(offered, cost, 1, exact ? DEAR_EVALUATIONS : undefined);
}

/** Widths at a share of the multiply-accumulates. */
export function widthsAtMacs(bench: Workbench, ratio: number): Allocation {
  const whole = bench.sizes.macs(denseWidths(bench));
  return allocate(bench.choices, (widths) => bench.sizes.macs(widths) / whole, ratio);
}

function costOf(
  bench: Workbench,
  { goals, latency }: CompressRequest,
  precision: Precision,
  slack: number,
): (widths: Widths) => number {
  const dense = denseWidths(bench);
  const [macs, params] = [bench.sizes.macs(dense), bench.sizes.params(dense)];
  const fileBytes = writeModel(bench.model).length;
  const overhead = Math.max(fileBytes - 4 * params, 0);
  const built = memoize((widths) => modelAt(bench, widths));
  const shares = goals.flatMap(({ name, target }): ((widths: Widths) => number)[] => {
    switch (name) {
      case 'macs-ratio':
        return [(widths) => bench.sizes.macs(widths) / macs / target];
      case 'max-size-kib':
        return [
          (widths) =>
            (overhead + WEIGHT_BYTES[precision] * bench.sizes.params(widths)) /
            (target * KIB * slack),
        ];
      case 'max-ram-kib':
        return [(widths) => ramBytes(built(widths), precision) / (target * KIB * slack)];
      case 'max-latency-ms':
        return latency ? [(widths) => latency(built(widths), precision) / (target * slack)] : [];
      case 'max-accuracy-drop':
        return [];
    }
  });
  return (widths) => shares.reduce((worst, share) => Math.max(worst, share(widths)), 0);
}

/** Each group's choices at the widths where the target's latency steps down. */
function onSteps(
  bench: Workbench,
  choices: readonly Choices[],
  { latency }: CompressRequest,
  precision: Precision,
): Choices[] {
  const whole = denseWidths(bench);
  return choices.map((each, i) => {
    if (!latency || i >= bench.groups.length) return each;
    const at = (width: number): number => latency(modelAt(bench, whole.with(i, width)), precision);
    const steps = new Set(latencySteps(each.widths, at));
    const kept = each.widths.map((_, k) => k).filter((k) => steps.has(each.widths[k] ?? 0));
    return {
      widths: kept.map((k) => each.widths[k] ?? 1),
      losses: kept.map((k) => each.losses[k] ?? 0),
    };
  });
}

function ramBytes(model: Model, precision: Precision): number {
  const { peakBytes, weightBytes } = activationArena(model);
  return precision === 'int8' ? (peakBytes + weightBytes) / 4 : peakBytes + weightBytes;
}

function coarse({ widths, losses }: Choices): Choices {
  const every = Math.ceil(widths.length / COARSE_LEVELS);
  const chosen = widths.map((_, i) => i).filter((i) => i % every === 0 || i === widths.length - 1);
  return { widths: chosen.map((i) => widths[i] ?? 1), losses: chosen.map((i) => losses[i] ?? 0) };
}

function memoize(build: (widths: Widths) => Model): (widths: Widths) => Model {
  let last: { key: string; model: Model } | undefined;
  return (widths) => {
    const key = widths.join();
    if (last?.key !== key) last = { key, model: build(widths) };
    return last.model;
  };
}

/** What a finished variant reaches of each goal. */
export function achievedGoals(
  goals: readonly Goal[],
  measured: {
    readonly original: Model;
    readonly variant: Model;
    readonly bytes: number;
    readonly latencyMs: number | undefined;
    /** Points of 100; undefined without labels. */
    readonly accuracyDrop: number | undefined;
  },
): { name: string; target: number; achieved: number; met: boolean }[] {
  const { original, variant } = measured;
  return goals.map(({ name, target }) => {
    const achieved = {
      'macs-ratio': () => countModel(variant).macs / Math.max(countModel(original).macs, 1),
      'max-size-kib': () => measured.bytes / KIB,
      'max-ram-kib': () => activationArena(variant).peakRamBytes / KIB,
      'max-latency-ms': () => measured.latencyMs ?? Infinity,
      'max-accuracy-drop': () => measured.accuracyDrop ?? Infinity,
    }[name]();
    return { name, target, achieved, met: achieved <= target + 1e-9 };
  });
}
