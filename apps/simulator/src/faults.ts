/** What can go wrong with a simulated device. */
export const FAULTS = ['cut', 'stall', 'slow', 'corrupt', 'restart', 'skew', 'probe'] as const;
export type Fault = (typeof FAULTS)[number];

/** How each fault shows itself, for the help. */
export const FAULT_HELP: Readonly<Record<Fault, string>> = {
  cut: 'loses its connection in the middle of a download, once',
  stall: 'stops reading its socket in the middle of a download, for good',
  slow: 'takes a chunk only every fifth of a second',
  corrupt: 'gets every fifth chunk with a flipped bit',
  restart: 'loses all but its disk in the middle of a download, once',
  skew: 'has a clock that is ten years slow',
  probe: 'finds that the model fails its probe',
};

/**
 * The fault of each device: the first devices get the first kind, and so on; most get none.
 * @returns by position among all devices
 */
export function faultOf(counts: ReadonlyMap<Fault, number>, position: number): Fault | null {
  let end = 0;
  for (const [fault, count] of counts) {
    end += count;
    if (position < end) return fault;
  }
  return null;
}
