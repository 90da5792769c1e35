import type { Labelled } from './comparison.js';

/** Accuracy of a group of devices by itself. */
export interface LevelEstimate {
  readonly level: number;
  readonly variance: number;
  readonly labels: number;
  readonly devices: number;
}

/**
 * Accuracy over all labels of some devices, its variance by devices: labels of one device count as
 * correlated by at least `correlation`, more where the devices' spread says so. Null without labels.
 */
export function estimateLevel(
  devices: readonly Labelled[],
  correlation: number,
): LevelEstimate | null {
  const seen = devices.filter(({ labels }) => labels > 0);
  const labels = seen.reduce((sum, one) => sum + one.labels, 0);
  if (labels === 0) return null;
  const level = seen.reduce((sum, one) => sum + one.correct, 0) / labels;
  // One right and one wrong more, so that no share is taken for certain.
  const safe = (level * labels + 1) / (labels + 2);
  const single = safe * (1 - safe);
  const squares = seen.reduce((sum, one) => sum + one.labels ** 2, 0);
  const assumed = (single * (labels + correlation * (squares - labels))) / labels ** 2;
  const found =
    seen.length > 1
      ? (seen.reduce((sum, one) => sum + (one.correct - one.labels * level) ** 2, 0) *
          (seen.length / (seen.length - 1))) /
        labels ** 2
      : 0;
  return { level, variance: Math.max(assumed, found), labels, devices: seen.length };
}
