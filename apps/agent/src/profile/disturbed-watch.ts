import { MOST_DISTURBED } from '@espalier/protocol';

/** Minutes until each further profile of a boot. */
const WAITS_MIN = [15, 30, 60, 120];
const MINUTE_MS = 60_000;

/** Calls later, unless what it returns is called before. */
export type Wait = (ms: number, then: () => void) => () => void;

const realWait: Wait = (ms, then) => {
  const timer = setTimeout(then, ms).unref();
  return () => clearTimeout(timer);
};

/**
 * Has a device that was busy with something else while it was measured measured again later, a few times
 * a boot, for the server plans from what several profiles have in common.
 */
export class DisturbedWatch {
  private cancel = (): void => {};
  private asked = 0;

  constructor(
    private readonly again: () => void,
    private readonly wait: Wait = realWait,
  ) {}

  /** Takes note of a profile. @param disturbed share of its kernels */
  measured(disturbed: number): void {
    this.cancel();
    const minutes = WAITS_MIN[this.asked];
    if (disturbed <= MOST_DISTURBED || minutes === undefined) return;
    this.asked++;
    this.cancel = this.wait(minutes * MINUTE_MS, this.again);
  }

  stop(): void {
    this.cancel();
  }
}
