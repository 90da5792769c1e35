import type { CompressionReport, Goal } from '@espalier/compression';

const KIB = 1024;

/** How a candidate of a front stands with the goals; the front itself is made without any. */
export function goalsOf(
  { model, variant, quality, latencyMs }: CompressionReport,
  goals: readonly Goal[],
): CompressionReport['goals'] {
  return goals.map(({ name, target }) => {
    const achieved = {
      'macs-ratio': () => variant.macs / Math.max(model.macs, 1),
      'max-size-kib': () => variant.bytes / KIB,
      'max-ram-kib': () => variant.peakRamBytes / KIB,
      'max-latency-ms': () => latencyMs?.predicted ?? Infinity,
      'max-accuracy-drop': () => (quality ? 100 * (quality.before - quality.after) : Infinity),
    }[name]();
    return { name, target, achieved, met: achieved <= target + 1e-9 };
  });
}
