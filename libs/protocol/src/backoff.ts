const BASE_MS = 500;
const CAP_MS = 60_000;

/**
 * How long to wait before a try: anything from nothing to a bound that doubles with each attempt,
 * so that a fleet that lost its broker together does not come back together.
 * @param attempt failed tries so far
 * @param random uniform in [0, 1)
 * @returns milliseconds
 * @see "Exponential Backoff and Jitter", AWS Architecture Blog, 2015 (full jitter)
 */
export function fullJitter(attempt: number, random: number): number {
  return Math.floor(random * Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 20)));
}
