/** Bytes of arrays that outlived young collections which are worth a full one. */
const MOST_EXTERNAL_BYTES = 18 * 2 ** 20;

/** Collects what measuring leaves behind, at moments when nothing is timed; nothing without `--expose-gc`. */
export class GarbageCollector {
  #isCold = false;

  /** What is young, in a fraction of a millisecond; everything where much has outlived that. */
  collect(): void {
    void globalThis.gc?.({ type: 'minor', execution: 'sync' });
    if (process.memoryUsage().external > MOST_EXTERNAL_BYTES) this.collectAll();
  }

  /** Everything. Without options: `type: 'major'` leaves the memory of arrays in place until later. */
  collectAll(): void {
    void globalThis.gc?.();
    this.#isCold = true;
  }

  /** Whether everything was collected since the last time, compiled code among it: calls are slow at first. */
  takeCold(): boolean {
    const isCold = this.#isCold;
    this.#isCold = false;
    return isCold;
  }
}
