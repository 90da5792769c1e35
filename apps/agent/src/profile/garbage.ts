/** Bytes outside of the heap, mostly of weights no longer needed, that are worth a full collection. */
const MOST_EXTERNAL_BYTES = 8 * 2 ** 20;

/**
 * Collects what is left behind, at a moment when nothing is timed: all of it where much is held outside
 * of the heap, else what is young, which takes a fraction of a millisecond. Nothing without
 * `--expose-gc`.
 */
export function collectGarbage(): void {
  if (process.memoryUsage().external > MOST_EXTERNAL_BYTES) {
    // Without options: `type: 'major'` leaves the memory of arrays in place until later.
    void globalThis.gc?.();
  } else {
    void globalThis.gc?.({ type: 'minor', execution: 'sync' });
  }
}
