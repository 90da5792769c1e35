import type { KernelTime } from '@espalier/protocol';
import type { TimedKernel } from './kernel-timing.js';
import type { Measurement } from './schedule.js';

/** What a round of measurements works with; the clock counts from its start. */
export interface Bench {
  elapsedMs(): number;
  time(measurement: Measurement, milliseconds: number): Promise<TimedKernel>;
}

/** What a round of measurements found. */
export interface KernelMeasurements {
  readonly kernels: KernelTime[];
  /** Share of them that were disturbed at every try. */
  readonly disturbed: number;
}

/** A kernel is timed no shorter than this, if that is within the whole time, and no longer than that. */
const LEAST_MS = 2;
const MOST_MS = 10;
const MOST_TRIES = 6;
/** Beyond these a try was disturbed: waiting for a processor, and spread of runs. */
const MOST_WAITING = 0.5;
const MOST_SPREAD = 0.4;

/**
 * Measures one after another within a time. What was disturbed is tried again after all others, as
 * long as time is left, and the least disturbed try of each counts.
 */
export async function measureKernels(
  measurements: readonly Measurement[],
  milliseconds: number,
  bench: Bench,
): Promise<KernelMeasurements> {
  const tries = new Map<Measurement, TimedKernel[]>();
  let [spentElsewhere, visits] = [0, 0];
  const visit = async (measurement: Measurement, share: number): Promise<void> => {
    const before = bench.elapsedMs();
    const wanted = share - spentElsewhere / Math.max(1, visits);
    const forMs = Math.max(LEAST_MS, Math.min(MOST_MS, wanted));
    const timed = await bench.time(measurement, forMs);
    spentElsewhere += Math.max(0, bench.elapsedMs() - before - forMs);
    visits++;
    tries.set(measurement, [...(tries.get(measurement) ?? []), timed]);
  };
  // A long chain no slower than a short one says that something disturbed the short one.
  const disturbance = ({ time, waiting }: TimedKernel): number =>
    time.medianMs > 0 ? Math.max(waiting / MOST_WAITING, time.spread / MOST_SPREAD) : Infinity;
  const least = (of: readonly TimedKernel[]): TimedKernel | undefined =>
    of.reduce<TimedKernel | undefined>(
      (best, one) => (best && disturbance(best) <= disturbance(one) ? best : one),
      undefined,
    );

  for (const [at, measurement] of measurements.entries()) {
    const left = milliseconds - bench.elapsedMs();
    if (left <= 0) break;
    await visit(measurement, left / (measurements.length - at));
  }
  for (let round = 1; round < MOST_TRIES; round++) {
    for (const [measurement, of] of tries) {
      if (bench.elapsedMs() >= milliseconds) break;
      const best = least(of);
      if (best && disturbance(best) > 1) await visit(measurement, MOST_MS);
    }
  }
  const kept = [...tries.values()].flatMap((of) => least(of) ?? []);
  const disturbed = kept.filter((one) => disturbance(one) > 1).length;
  return {
    kernels: kept.map(({ time }) => time),
    disturbed: disturbed / Math.max(1, kept.length),
  };
}
