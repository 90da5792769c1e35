import { DisturbedWatch } from './disturbed-watch.js';

/** Profiles of one boot, each as disturbed as told; gives the minutes waited for each that follows. */
function waits(disturbed: number[]): number[] {
  const waited: number[] = [];
  let due: (() => void) | null = null;
  let taken = 0;
  const measure = (): void => watch.measured(disturbed[taken++] ?? 0);
  const watch = new DisturbedWatch(measure, (ms, then) => {
    waited.push(ms / 60_000);
    due = then;
    return () => (due = null);
  });
  measure();
  while (due) {
    const then: () => void = due;
    due = null;
    then();
  }
  return waited;
}

describe('measuring again what was disturbed', () => {
  it('asks for another profile until one is calm, later each time', () => {
    expect(waits([0.1])).toEqual([]);
    expect(waits([0.6, 0.4, 0.1])).toEqual([15, 30]);
  });

  it('gives up on a device that is always busy', () => {
    expect(waits(new Array<number>(20).fill(0.9))).toEqual([15, 30, 60, 120]);
  });

  it('waits no more once a calm profile came from elsewhere, or the agent stops', () => {
    let isWaiting = false;
    const watch = new DisturbedWatch(
      () => {},
      () => {
        isWaiting = true;
        return () => (isWaiting = false);
      },
    );
    watch.measured(0.6);
    expect(isWaiting).toBe(true);
    watch.measured(0.1);
    expect(isWaiting).toBe(false);
    watch.measured(0.6);
    watch.stop();
    expect(isWaiting).toBe(false);
  });
});
