import { logEvidenceOfShareAbove, logEvidenceOfShareBelow } from '@espalier/evidence';
import type { EvidenceVerdict } from './accuracy.js';

/** Metrics that are judged device by device, and then by the share of devices over a limit. */
export type DeviceMetric = 'latency' | 'memory' | 'restarts';

/** The numbers that a decision on latency, memory or restarts rests on. */
export interface DeviceShareNumbers {
  /** Devices that were shown to be over their limit, within it, and neither yet. */
  readonly over: number;
  readonly within: number;
  readonly unknown: number;
  readonly maxShare: number;
}

/**
 * Judges the devices of a variant from their numbers alone. A device that is not known yet counts as
 * within its limit when harm is to be shown, and as over it when the stage is to pass.
 */
export function judgeDeviceShare(numbers: DeviceShareNumbers): EvidenceVerdict {
  const { over, within, unknown, maxShare } = numbers;
  const devices = over + within + unknown;
  if (devices === 0) return 'wait';
  if (over / devices > maxShare) return 'halt';
  return (over + unknown) / devices > maxShare ? 'wait' : 'pass';
}

/** Windows of one device, and those of them that were over its limit. */
export interface Windows {
  readonly windows: number;
  readonly over: number;
}

/**
 * Sorts devices by whether the median of their windows lies over the limit, each by an always-valid
 * test of the share of windows over it against one half.
 * @param error probability of a wrong answer, over all these devices
 */
export function sortByWindows(
  devices: readonly Windows[],
  error: number,
): Pick<DeviceShareNumbers, 'over' | 'within' | 'unknown'> {
  const enough = Math.log(devices.length / error);
  const sorted = { over: 0, within: 0, unknown: 0 };
  for (const { windows, over } of devices) {
    if (logEvidenceOfShareAbove(over, windows, 0.5) >= enough) sorted.over += 1;
    else if (logEvidenceOfShareBelow(over, windows, 0.5) >= enough) sorted.within += 1;
    else sorted.unknown += 1;
  }
  return sorted;
}
