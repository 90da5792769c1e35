import type { Telemetry } from '@espalier/protocol';

/** What a device measured of a variant while it served. */
export interface Measured {
  /** Medians over the windows of each window's median and 95th percentile, milliseconds. */
  readonly p50: number;
  readonly p95: number;
  readonly labelled: number;
  readonly correct: number;
}

/**
 * Sums up the windows in which a device ran one variant.
 * @returns null without a labelled inference
 */
export function sumUp(windows: readonly Telemetry[], variantId: string): Measured | null {
  const own = windows.filter(({ running }) => running.variantId === variantId);
  const latencies = own.flatMap(({ latencyMs }) => (latencyMs ? [latencyMs] : []));
  const labelled = own.reduce((sum, { accuracy }) => sum + (accuracy?.labelled ?? 0), 0);
  if (labelled === 0 || latencies.length === 0) return null;
  return {
    p50: median(latencies.map(({ p50 }) => p50)),
    p95: median(latencies.map(({ p95 }) => p95)),
    labelled,
    correct: own.reduce((sum, { accuracy }) => sum + (accuracy?.correct ?? 0), 0),
  };
}

/**
 * Accuracy of the trained model on the samples that an agent has served, 0 to 1. A fresh session
 * takes the first sample for its probe, which is not counted, then goes on in order and around.
 */
export function accuracyOn(hits: readonly boolean[], served: number): number {
  let right = 0;
  for (let i = 1; i <= served; i++) if (hits[i % hits.length]) right += 1;
  return right / Math.max(served, 1);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
