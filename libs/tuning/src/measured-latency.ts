import type { Profile } from '@espalier/protocol';
import type { LatencyInterval } from './latency.js';

/** Latency of one telemetry window. */
export interface LatencyWindow {
  readonly inferences: number;
  readonly p50: number;
}

/** How much must be measured before it counts against a prediction. */
export interface EnoughSamples {
  readonly windows: number;
  readonly inferences: number;
}

export const ENOUGH_SAMPLES: EnoughSamples = { windows: 5, inferences: 100 };

/** What windows say of a prediction. */
export interface LatencyVerdict {
  readonly verdict: 'too-few' | 'within' | 'outside';
  /** Median over the inferences, milliseconds; null: too few. */
  readonly measuredMs: number | null;
}

/**
 * Whether what a device measured while it served lies in the interval that was predicted. The median
 * over windows, each counting for its inferences, so that a single disturbed one does not decide.
 */
export function judgeLatency(
  windows: readonly LatencyWindow[],
  predicted: LatencyInterval,
  enough: EnoughSamples = ENOUGH_SAMPLES,
): LatencyVerdict {
  const usable = windows.filter(({ inferences }) => inferences > 0);
  const total = usable.reduce((sum, { inferences }) => sum + inferences, 0);
  if (usable.length < enough.windows || total < enough.inferences) {
    return { verdict: 'too-few', measuredMs: null };
  }
  const sorted = [...usable].sort((a, b) => a.p50 - b.p50);
  let below = 0;
  let measuredMs = sorted.at(-1)?.p50 ?? 0;
  for (const { inferences, p50 } of sorted) {
    below += inferences;
    if (below * 2 < total) continue;
    measuredMs = p50;
    break;
  }
  const within = measuredMs >= predicted.low && measuredMs <= predicted.high;
  return { verdict: within ? 'within' : 'outside', measuredMs };
}

/** Devices whose predictions are wrong in the same way: alike in processor, runtime and emulation. */
export function deviceClassOf({
  cpu,
  runtime,
  emulatedSlowdown,
}: Pick<Profile, 'cpu' | 'runtime' | 'emulatedSlowdown'>): string {
  return [
    cpu.model,
    cpu.arch,
    cpu.cores,
    runtime.name,
    runtime.version,
    emulatedSlowdown ?? 1,
  ].join('/');
}

/** Devices of a class that must have measured before the others are corrected by them. */
const LEAST_OF_CLASS = 3;

/**
 * The factor by which a prediction for a device is corrected: its own measured ratio, or the median of
 * its class, or none.
 */
export function latencyFactor(own: number | null, ofClass: readonly number[]): number {
  if (own !== null) return own;
  if (ofClass.length < LEAST_OF_CLASS) return 1;
  const sorted = [...ofClass].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 1;
}
