import type { Model } from '@espalier/onnx';
import {
  logProbabilities,
  meanKl,
  meanSquaredError,
  type Outputs,
  outputsOf,
} from '../evaluate.js';
import type { DenseLayer } from '../statistics/dense.js';
import type { RunSettings } from '../statistics/run.js';
import type { Samples } from '../statistics/samples.js';
import { refitFromDense } from '../structure/dense-refit.js';
import type { Choices } from './allocate.js';
import {
  allowedWidths,
  denseWidths,
  modelAt,
  removedAt,
  type Space,
  type Widths,
} from './widths.js';

/** How outputs are compared: by divergence where they are classes, else by squared error. */
export interface OutputKind {
  readonly task: 'classification' | 'regression';
  readonly kind: 'logits' | 'probabilities';
}

/** Distance of a model's outputs from the dense model's: nats, or squared error over its variance. */
export function outputLoss(reference: Outputs, other: Outputs, { task, kind }: OutputKind): number {
  if (task === 'classification') {
    return meanKl(
      logProbabilities(reference, kind),
      logProbabilities(other, kind),
      reference.width,
    );
  }
  let mean = 0;
  for (const value of reference.rows) mean += value / reference.rows.length;
  let variance = 0;
  for (const value of reference.rows) variance += (value - mean) ** 2 / reference.rows.length;
  return meanSquaredError(reference, other) / Math.max(variance, 1e-12);
}

/** What judging a candidate takes. */
export interface JudgeContext extends Space {
  readonly dense: ReadonlyMap<string, DenseLayer>;
  readonly samples: Samples;
  readonly indices: readonly number[];
  readonly reference: Outputs;
  readonly output: OutputKind & { readonly name?: string | undefined };
  readonly settings: RunSettings;
}

/** Loss of the model at given widths, fitted from the dense moments. */
export async function judge(widths: Widths, context: JudgeContext): Promise<number> {
  const cut = modelAt(context, widths);
  const removed = removedAt(context, widths);
  const fitted = refitFromDense(cut, context.channels, removed, context.dense);
  return lossOfModel(fitted, context);
}

/** Loss of any model against the reference. */
export async function lossOfModel(
  model: Model,
  { samples, indices, reference, output, settings }: Omit<JudgeContext, keyof Space | 'dense'>,
): Promise<number> {
  const outputs = await outputsOf(model, samples, indices, { ...settings, output: output.name });
  return outputLoss(reference, outputs, output);
}

/** Shares of a group's units that are measured; widths between are interpolated. */
const MEASURED = [0.875, 0.75, 0.6, 0.45, 0.3, 0.15];

/** Loss beyond which nothing narrower is measured, and no block offered: one nat is ruin. */
const RUIN = 1;

/**
 * Measures what each group loses when it alone is cut, at a few widths, and interpolates the rest.
 * @param step widths allowed, channels
 */
export async function measureSensitivity(
  context: JudgeContext,
  step: number,
  onMeasured?: (done: number, total: number) => void,
): Promise<Choices[]> {
  const whole = denseWidths(context);
  const out: Choices[] = [];
  for (const [g, group] of context.groups.entries()) {
    const widths = allowedWidths(group, step);
    const points: { width: number; loss: number }[] = [{ width: group.roots.length, loss: 0 }];
    for (const share of MEASURED) {
      const width = nearest(widths, share * group.roots.length);
      const last = points[points.length - 1];
      if (!last || width >= last.width) continue;
      if (last.loss > RUIN) break;
      const loss = await judge(
        whole.map((w, i) => (i === g ? width : w)),
        context,
      );
      points.push({ width, loss: Math.max(loss, last.loss) });
    }
    out.push({ widths, losses: widths.map((width) => interpolate(points, width)) });
    onMeasured?.(g + 1, context.groups.length);
  }
  return out;
}

/**
 * Measures what the removal of each residual block loses before anything is fitted to it: what it costs
 * at most. A block whose removal is ruin is not offered.
 */
export async function measureBlocks(context: JudgeContext): Promise<Choices[]> {
  const whole = denseWidths(context);
  const out: Choices[] = [];
  for (const b of context.blocks.keys()) {
    const without = whole.with(context.groups.length + b, 0);
    const loss = await lossOfModel(modelAt(context, without), context);
    out.push(
      loss < RUIN
        ? { widths: [1, 0], losses: [0, Math.max(loss, 0)] }
        : { widths: [1], losses: [0] },
    );
  }
  return out;
}

function nearest(widths: readonly number[], wanted: number): number {
  return widths.reduce(
    (best, w) => (Math.abs(w - wanted) < Math.abs(best - wanted) ? w : best),
    widths[0] ?? 1,
  );
}

function interpolate(points: readonly { width: number; loss: number }[], width: number): number {
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    if (!a || !b || width < b.width) continue;
    return a.loss + ((b.loss - a.loss) * (a.width - width)) / Math.max(a.width - b.width, 1);
  }
  const [before, last] = [points[points.length - 2], points[points.length - 1]];
  if (!last) return 0;
  const slope = before ? (last.loss - before.loss) / Math.max(before.width - last.width, 1) : 1;
  return last.loss + 2 * slope * (last.width - width);
}
