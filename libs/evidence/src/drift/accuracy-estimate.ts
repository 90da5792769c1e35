import { edgeOf } from '../sketch/grid.js';
import type { Histogram } from '../sketch/histogram.js';
import type { WindowSketch } from '../sketch/window-sketch.js';

/** The confidence, in log odds, below which a model is as often as it is wrong. */
export interface ConfidenceThreshold {
  readonly logOdds: number;
}

/**
 * Average thresholded confidence (Garg, Balakrishnan, Lipton, Neyshabur and Sedghi 2022, arXiv
 * 2201.04234): the threshold that as large a share of the labelled reference exceeds as was right.
 * Confidence is the log odds of the largest probability. Null without items.
 * @param accuracy on the reference, from 0 to 1
 */
export function confidenceThreshold(
  reference: WindowSketch,
  accuracy: number,
): ConfidenceThreshold | null {
  const { confidence } = reference;
  if (confidence.total === 0) return null;
  let below = (1 - accuracy) * confidence.total;
  const entries = confidence.entries();
  for (const [bin, count] of entries) {
    if (below <= count) return { logOdds: inBin(bin, below / count) };
    below -= count;
  }
  const [last] = entries.at(-1) ?? [0];
  return { logOdds: edgeOf(last + 1) };
}

/**
 * Accuracy as estimated without labels: the share of items whose confidence exceeds the threshold.
 * It holds as far as confidence means on this data what it meant on the reference; it is an estimate,
 * and to be shown as one. Null without items.
 */
export function estimatedAccuracy(
  sketch: WindowSketch,
  { logOdds }: ConfidenceThreshold,
): number | null {
  const { confidence } = sketch;
  return confidence.total === 0 ? null : countAbove(confidence, logOdds) / confidence.total;
}

function countAbove(confidence: Histogram, logOdds: number): number {
  return confidence.entries().reduce((sum, [bin, count]) => {
    const [from, to] = [edgeOf(bin), edgeOf(bin + 1)];
    return sum + count * Math.max(0, Math.min(1, (to - logOdds) / (to - from)));
  }, 0);
}

const inBin = (bin: number, share: number): number =>
  edgeOf(bin) + share * (edgeOf(bin + 1) - edgeOf(bin));
