import type { CompressionReport, Goal, ParetoDocument } from '@espalier/compression';

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

/** The files of a front: a folder for each candidate, and `pareto.json`. */
export function frontFiles(
  candidates: readonly { id: string; model: Uint8Array; report: CompressionReport }[],
  pareto: ParetoDocument,
): Map<string, Uint8Array | string> {
  const files = new Map<string, Uint8Array | string>();
  for (const { id, model, report } of candidates) {
    files.set(`${id}/model.onnx`, model);
    files.set(`${id}/report.json`, jsonFile(report));
  }
  return files.set('pareto.json', jsonFile(pareto));
}

/** A JSON document as it is written to a file. */
export const jsonFile = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;
