import type { Budget, Profile } from '@espalier/protocol';
import type { Model } from '@espalier/onnx';
import { predictLatency } from '@espalier/tuning';

/** Threads that a variant's session has on a device. */
const THREADS = 1;
/** By how much a limit is changed when the first one does not serve. */
const STEP = 0.9;
const MOST_STEPS = 16;

/** What the trained model is predicted to take on a device, milliseconds. */
export const trainedLatencyMs = (model: Model, profile: Profile): number =>
  predictLatency(model, 'fp32', profile, { threads: THREADS }).ms;

/** What a device would get under a budget. */
export interface Outcome {
  /** Null: nothing fits. */
  readonly candidateId: string | null;
  /** The widths of that candidate, as {@link widthsKey} writes them. */
  readonly widths: string | null;
}

/**
 * Finds a latency limit under which a device takes widths that no other device has: a share of what
 * the trained model needs there, made smaller while the widths are taken, larger while nothing fits.
 * @param ask what the device would get under a budget
 * @returns the last limit that fitted, as a share of `trainedMs`
 */
export async function latencyShare(
  start: number,
  trainedMs: number,
  taken: ReadonlySet<string>,
  ask: (budget: Budget) => Promise<Outcome>,
): Promise<number> {
  let share = start;
  let fitting: number | null = null;
  for (let step = 0; step < MOST_STEPS; step++) {
    const { candidateId, widths } = await ask({ latencyP95Ms: share * trainedMs });
    if (candidateId === null) {
      if (fitting !== null) return fitting;
      share /= STEP;
      continue;
    }
    fitting = share;
    if (widths !== null && !taken.has(widths)) return share;
    share *= STEP;
  }
  return fitting ?? 1;
}
