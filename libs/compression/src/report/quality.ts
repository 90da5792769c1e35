import { CompressionError } from '../errors.js';
import {
  agreement,
  classesOf,
  logProbabilities,
  meanKl,
  meanSquaredError,
  type Outputs,
} from '../evaluate.js';
import { outputLoss, type OutputKind } from '../search/sensitivity.js';
import type { CompressionReport } from './report.js';

/**
 * Accuracy before and after on the same samples, with the paired 95 % interval of the difference
 * (normal approximation on per-sample differences, McNemar's pairs).
 */
export function pairedQuality(
  before: Outputs,
  after: Outputs,
  labels: ArrayLike<number>,
  names: readonly string[] | undefined,
): NonNullable<CompressionReport['quality']> {
  const [old, now] = [classesOf(before), classesOf(after)];
  const n = old.length;
  let [gained, lost] = [0, 0];
  const classes = new Map<number, { samples: number; before: number; after: number }>();
  for (let i = 0; i < n; i++) {
    const label = labels[i] ?? -1;
    const [wasRight, isRight] = [old[i] === label, now[i] === label];
    if (isRight && !wasRight) gained++;
    if (wasRight && !isRight) lost++;
    const entry = classes.get(label) ?? { samples: 0, before: 0, after: 0 };
    classes.set(label, {
      samples: entry.samples + 1,
      before: entry.before + Number(wasRight),
      after: entry.after + Number(isRight),
    });
  }
  const difference = (gained - lost) / n;
  const deviation = Math.sqrt(Math.max((gained + lost) / n - difference ** 2, 0) / n);
  return {
    metric: 'top-1 accuracy',
    higherIsBetter: true,
    before: agreement(old, labels),
    after: agreement(now, labels),
    samples: n,
    interval: [difference - 1.96 * deviation, difference + 1.96 * deviation],
    byClass: [...classes]
      .sort(([a], [b]) => a - b)
      .map(([label, entry]) => ({
        label: names?.[label] ?? String(label),
        samples: entry.samples,
        before: entry.before / entry.samples,
        after: entry.after / entry.samples,
      })),
  };
}

/**
 * @param width classes that the model tells apart
 * @throws CompressionError COMPRESS_LABELS when a sample is of a class that the model does not have
 */
export function checkLabels(labels: ArrayLike<number> | undefined, width: number): void {
  const at = labels ? Array.from(labels).findIndex((label) => label >= width) : -1;
  if (at < 0) return;
  throw new CompressionError(
    'COMPRESS_LABELS',
    `Sample ${at} is of class ${labels?.[at] ?? ''}, but the model tells ${width} classes apart, counted from 0. Check "y", or the card's output.`,
  );
}

/** How close a variant's outputs are to the dense model's, with no labels. */
export function fidelityOf(
  before: Outputs,
  after: Outputs,
  output: OutputKind,
): CompressionReport['fidelity'] {
  const samples = before.rows.length / Math.max(before.width, 1);
  if (output.task === 'classification') {
    return {
      meanKl: meanKl(
        logProbabilities(before, output.kind),
        logProbabilities(after, output.kind),
        before.width,
      ),
      agreement: agreement(classesOf(before), classesOf(after)),
      samples,
    };
  }
  return {
    meanSquaredError: meanSquaredError(before, after),
    ofVariance: outputLoss(before, after, output),
    agreement: agreement(classesOf(before), classesOf(after)),
    samples,
  };
}
