import { logEvidenceAbove, logEvidenceBelow } from '@espalier/evidence';

/**
 * The numbers that a decision on accuracy rests on. Compared with controls, `estimate` is the
 * change beyond theirs (a loss is negative); with no control it is the accuracy itself.
 */
export interface AccuracyNumbers {
  readonly compared: 'with-control' | 'no-control';
  readonly estimate: number;
  readonly variance: number;
  readonly labels: { readonly treated: number; readonly control: number };
  readonly devices: { readonly treated: number; readonly control: number };
  /** Stops what is shown to lie under this. */
  readonly stopUnder: number;
  /** Passes what is shown to lie over this. */
  readonly passOver: number;
  readonly minLabels: number;
  /** Probability of a wrong decision that this test may spend. */
  readonly error: number;
}

export type EvidenceVerdict = 'halt' | 'wait' | 'pass';

/** Losses that are looked for: about ten points beyond the bound, in the unit of a share. */
const EFFECT_SCALE = 0.1;

/** Judges accuracy from its numbers alone, so that a log entry can be judged again. */
export function judgeAccuracy(numbers: AccuracyNumbers): EvidenceVerdict {
  const { estimate, variance, labels, minLabels } = numbers;
  const compared = numbers.compared === 'with-control';
  const fewest = compared ? Math.min(labels.treated, labels.control) : labels.treated;
  if (fewest < minLabels || !(variance > 0)) return 'wait';
  const enough = -Math.log(numbers.error);
  if (logEvidenceBelow(estimate, variance, numbers.stopUnder, EFFECT_SCALE) >= enough) {
    return 'halt';
  }
  return logEvidenceAbove(estimate, variance, numbers.passOver, EFFECT_SCALE) >= enough
    ? 'pass'
    : 'wait';
}
