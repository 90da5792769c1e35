import type { RolloutSpec } from '../spec.js';

/** The numbers that a failed-share decision rests on. */
export interface FailedShareNumbers {
  readonly active: number;
  readonly failed: number;
  /** Never answered before their deadline: neither success nor failure. */
  readonly missing: number;
  /** Without a result yet, and still within their deadline. */
  readonly open: number;
  readonly minSample: number;
  readonly maxFailedShare: number;
  readonly maxMissingShare: number;
}

export type Verdict = 'halt' | 'wait' | 'hold' | 'pass';

/**
 * Judges a stage, or one variant of it, from its numbers alone, so that a log entry can be judged
 * again. Silence is never success: without enough results the answer is to wait while devices are
 * within their deadline, and then to hold.
 */
export function judgeFailedShare(numbers: FailedShareNumbers): Verdict {
  const { active, failed, missing, open } = numbers;
  const sample = active + failed;
  if (sample >= numbers.minSample && failed / sample > numbers.maxFailedShare) return 'halt';
  if (open > 0) return 'wait';
  if (sample < numbers.minSample) return 'hold';
  return missing / (sample + missing) > numbers.maxMissingShare ? 'hold' : 'pass';
}

/** The gate's thresholds, as they stand in the numbers of a decision. */
export function thresholds(
  gate: RolloutSpec['gate'],
): Pick<FailedShareNumbers, 'minSample' | 'maxFailedShare' | 'maxMissingShare'> {
  const { minSample, maxFailedShare, maxMissingShare } = gate;
  return { minSample, maxFailedShare, maxMissingShare };
}
