/** A kernel's own time on a path with one thread and with more, milliseconds. */
export interface ThreadedPair {
  readonly at: number;
  /** Calls of the path's operator. */
  readonly calls: number;
  /** What calling costs with one thread, and what is spent beyond that. */
  readonly called: number;
  readonly spent: number;
  /** With more threads. */
  readonly ms: number;
}

/** What threads make of a path. */
export interface ThreadedCosts {
  /** Milliseconds more for each call. */
  readonly extraMs: number;
  /** Share of the time beyond the call that is left. */
  readonly share: number;
  /** Mean relative error. */
  readonly error: number;
}

/** Shares that are tried, from perfect speed-up to none. */
const STEPS = 16;

/**
 * The overhead and the speed-up of threads on one path, by least absolute relative errors: with more
 * threads some measurements are far off, and must not pull. The share is at best one over the threads.
 */
export function fitThreads(pairs: readonly ThreadedPair[], threads: number): ThreadedCosts {
  let best: ThreadedCosts = { extraMs: 0, share: 1, error: Infinity };
  if (pairs.length < 2) return { ...best, error: 0 };
  for (let step = 0; step <= STEPS; step++) {
    const share = 1 / threads + (1 - 1 / threads) * (step / STEPS);
    const extraMs = extraOf(pairs, share);
    const errors = pairs.map(({ called, calls, spent, ms }) =>
      Math.abs((called + calls * extraMs + share * spent) / ms - 1),
    );
    const error = errors.reduce((sum, each) => sum + Math.min(each, 1), 0) / pairs.length;
    if (error < best.error) best = { extraMs, share, error };
  }
  return best;
}

/** The weighted median of what each kernel has left over for a call, short ones counting more. */
function extraOf(pairs: readonly ThreadedPair[], share: number): number {
  const left = pairs
    .map(({ called, calls, spent, ms }) => ({
      extra: Math.max(0, (ms - called - share * spent) / Math.max(calls, 1e-9)),
      weight: calls / ms,
    }))
    .sort((a, b) => a.extra - b.extra);
  const half = left.reduce((sum, { weight }) => sum + weight, 0) / 2;
  let below = 0;
  for (const { extra, weight } of left) {
    below += weight;
    if (below >= half) return extra;
  }
  return 0;
}
