import { countModel } from '@espalier/onnx';
import { type ParetoDocument, REPORT_SCHEMA_VERSION } from '../report/report.js';
import { finish } from './compress.js';
import { widthsAtMacs } from './goals.js';
import {
  checkRequest,
  type CompressHooks,
  type CompressRequest,
  type ParetoResult,
  type Precision,
} from './request.js';
import { Stopwatch } from './stopwatch.js';
import { makeVariant } from './variant.js';
import { openWorkbench } from './workbench.js';

/** Smallest share of the multiply-accumulates that a front goes down to. */
const SMALLEST_RATIO = 0.2;

/**
 * Makes a family of variants from one calibration: the dense widths and shares of the
 * multiply-accumulates evenly spaced on a logarithmic scale, in each precision.
 * @param request its cost goals are not used: the front is for choosing from
 */
export async function compressPareto(
  request: CompressRequest & {
    readonly points: number;
    readonly precisions?: readonly Precision[];
  },
  hooks: CompressHooks = {},
): Promise<ParetoResult> {
  const searched = { ...request, goals: [{ name: 'macs-ratio', target: 1 }] as const };
  checkRequest(searched);
  const watch = new Stopwatch(() => performance.now());
  const bench = await openWorkbench(searched, watch, hooks);
  try {
    const precisions = request.precisions ?? ['fp32', 'int8'];
    const perPrecision = Math.max(1, Math.round(request.points / precisions.length));
    const candidates: {
      id: string;
      result: Awaited<ReturnType<typeof finish>>;
      loss: number;
      accuracy: number | null;
    }[] = [];
    for (let at = 0; at < perPrecision; at++) {
      const ratio = SMALLEST_RATIO ** (at / Math.max(perPrecision - 1, 1));
      const widths = at === 0 ? [] : widthsAtMacs(bench, ratio).widths;
      for (const precision of precisions) {
        const plan = {
          widths,
          precision,
          sparsity: request.sparsity ?? 0,
          isaSafe: request.isaSafe ?? true,
        };
        const variant = await makeVariant(bench, plan, watch, hooks);
        const result = await finish(bench, variant, { ...request, goals: [] }, watch, null);
        const share = Math.round(
          (100 * countModel(variant.model).macs) / Math.max(countModel(bench.original).macs, 1),
        );
        const id = `${precision}-${String(share).padStart(3, '0')}`;
        candidates.push({
          id: unique(id, candidates),
          result,
          loss: variant.loss,
          accuracy: variant.accuracy,
        });
        hooks.onProgress?.({
          stage: 'candidates',
          done: candidates.length,
          total: perPrecision * precisions.length,
          message: id,
        });
      }
    }
    const rows = candidates.map(({ id, result, loss, accuracy }) => ({
      id,
      sha256: result.report.variant.sha256,
      precision: result.report.variant.precision,
      macs: result.report.variant.macs,
      bytes: result.report.variant.bytes,
      artifactBytes: result.report.artifact.bytes,
      peakRamBytes: result.report.variant.peakRamBytes,
      loss,
      accuracy,
    }));
    const pareto: ParetoDocument = {
      schemaVersion: REPORT_SCHEMA_VERSION,
      model: candidates[0]?.result.report.model.sha256 ?? '',
      candidates: rows.map((row) => ({
        ...row,
        onFront: !rows.some((other) => dominates(other, row)),
      })),
      seconds: watch.report.total,
    };
    return { candidates: candidates.map(({ id, result }) => ({ ...result, id })), pareto };
  } finally {
    await bench.engine.release();
  }
}

interface Row {
  readonly macs: number;
  readonly bytes: number;
  readonly loss: number;
}

/** Better in one of work, size and loss, and worse in none. */
function dominates(a: Row, b: Row): boolean {
  const noWorse = a.macs <= b.macs && a.bytes <= b.bytes && a.loss <= b.loss;
  return noWorse && (a.macs < b.macs || a.bytes < b.bytes || a.loss < b.loss);
}

function unique(id: string, taken: readonly { id: string }[]): string {
  const same = taken.filter((other) => other.id === id || other.id.startsWith(`${id}-`)).length;
  return same === 0 ? id : `${id}-${same + 1}`;
}
