import { BEST_SHARE, type KernelTime, STEADY } from '@espalier/protocol';
import type { TimedKernel } from './kernel-timing.js';
import type { Measurement } from './schedule.js';
import { quantile } from './statistics.js';

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
  /** The probe in the machine's best state that was seen, at the most threads measured at; null: never. */
  readonly probeMs: number | null;
}

/** A kernel is timed no shorter than this, if that is within the whole time, and no longer than that. */
const LEAST_MS = 2;
const MOST_MS = 5;
const MOST_TRIES = 6;
/**
 * Beyond these a try was disturbed: waiting for a processor, spread of runs, and how much slower than in
 * the best state the probe was around it.
 */
const MOST_WAITING = 0.5;
const MOST_SPREAD = 0.4;
const MOST_SLOWDOWN = STEADY - 1;

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
  const states = new Map<number, number[]>();
  let [spentElsewhere, visits] = [0, 0];
  const visit = async (measurement: Measurement, share: number): Promise<void> => {
    const before = bench.elapsedMs();
    const wanted = share - spentElsewhere / Math.max(1, visits);
    const forMs = Math.max(LEAST_MS, Math.min(MOST_MS, wanted));
    const timed = await bench.time(measurement, forMs);
    spentElsewhere += Math.max(0, bench.elapsedMs() - before - forMs);
    visits++;
    tries.set(measurement, [...(tries.get(measurement) ?? []), timed]);
    const { threads, statesMs } = timed.time;
    if (statesMs) states.set(threads, [...(states.get(threads) ?? []), ...statesMs]);
  };
  for (const [at, measurement] of measurements.entries()) {
    const left = milliseconds - bench.elapsedMs();
    if (left <= 0) break;
    await visit(measurement, left / (measurements.length - at));
  }
  for (let round = 1; round < MOST_TRIES; round++) {
    const best = bestStates(states);
    for (const [measurement, of] of tries) {
      if (bench.elapsedMs() >= milliseconds) break;
      if (leastDisturbed(of, best).disturbance > 1) await visit(measurement, MOST_MS);
    }
  }
  const best = bestStates(states);
  const kept = [...tries.values()].map((of) => leastDisturbed(of, best));
  return {
    kernels: kept.flatMap(({ timed }) => timed?.time ?? []),
    disturbed: kept.filter(({ disturbance }) => disturbance > 1).length / Math.max(1, kept.length),
    probeMs: best.get(Math.max(...best.keys())) ?? null,
  };
}

/** The probe's answer in the best state seen, at each count of threads. */
function bestStates(states: ReadonlyMap<number, readonly number[]>): Map<number, number> {
  return new Map(
    [...states].map(([threads, seen]) => [
      threads,
      quantile(
        [...seen].sort((a, b) => a - b),
        BEST_SHARE,
      ),
    ]),
  );
}

interface Judged {
  readonly timed: TimedKernel | null;
  /** Over 1: it was disturbed. */
  readonly disturbance: number;
}

function leastDisturbed(tries: readonly TimedKernel[], best: ReadonlyMap<number, number>): Judged {
  return tries
    .map((timed) => ({ timed, disturbance: disturbanceOf(timed, best) }))
    .reduce<Judged>((least, one) => (one.disturbance < least.disturbance ? one : least), {
      timed: tries[0] ?? null,
      disturbance: Infinity,
    });
}

function disturbanceOf({ time, waiting }: TimedKernel, best: ReadonlyMap<number, number>): number {
  // A long chain no slower than a short one says that something disturbed the short one.
  if (time.medianMs <= 0) return Infinity;
  const bestMs = best.get(time.threads);
  const slowdown = time.statesMs && bestMs ? Math.max(...time.statesMs) / bestMs - 1 : 0;
  return Math.max(waiting / MOST_WAITING, time.spread / MOST_SPREAD, slowdown / MOST_SLOWDOWN);
}
