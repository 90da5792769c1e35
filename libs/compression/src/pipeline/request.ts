import type { Dataset, InputCard } from '@espalier/dataset';
import type { Model } from '@espalier/onnx';
import { CompressionError } from '../errors.js';
import type { CompressionReport, ParetoDocument } from '../report/report.js';

export const GOAL_NAMES = [
  'macs-ratio',
  'max-latency-ms',
  'max-ram-kib',
  'max-size-kib',
  'max-accuracy-drop',
] as const;

/** What a variant must keep. `max-accuracy-drop` is in points of 100. */
export interface Goal {
  readonly name: (typeof GOAL_NAMES)[number];
  readonly target: number;
}

export type Precision = 'fp32' | 'int8';

/** Milliseconds that one inference takes on the target, predicted. */
export type LatencyEstimator = (model: Model, precision: Precision) => number;

/** What is asked of one compression. */
export interface CompressRequest {
  readonly model: Uint8Array;
  /** Fits, gates and choices use this alone: three quarters fit, one quarter gates. */
  readonly calibration: Dataset;
  /** Read once, after the variant is made. */
  readonly evaluation?: Dataset | undefined;
  readonly card?: InputCard | undefined;
  readonly goals: readonly Goal[];
  readonly precision: Precision | 'auto';
  /** Share of weights that become zero, from 0 to 0.95. */
  readonly sparsity?: number | undefined;
  readonly latency?: LatencyEstimator | undefined;
  readonly profileSha256?: string | undefined;
  /** Whether int8 weights must be safe from saturation on x86 without VNNI. */
  readonly isaSafe?: boolean | undefined;
  readonly seed: number;
  readonly threads?: number | undefined;
}

/** How far a stage is. */
export interface CompressProgress {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  readonly message?: string;
}

/** What a caller may watch and stop. */
export interface CompressHooks {
  onProgress?(progress: CompressProgress): void;
  readonly signal?: AbortSignal;
}

export interface Artifact {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly encoding: 'identity' | 'brotli' | 'espalier-sparse';
}

/** A variant, ready to be written. */
export interface CompressResult {
  readonly model: Uint8Array;
  readonly artifact: Artifact;
  readonly report: CompressionReport;
  readonly goalsMet: boolean;
}

/** Several variants from one calibration. */
export interface ParetoResult {
  readonly candidates: readonly (CompressResult & { readonly id: string })[];
  readonly pareto: ParetoDocument;
}

/**
 * Checks what the types cannot.
 * @throws CompressionError COMPRESS_GOAL_INVALID, COMPRESS_CALIBRATION
 */
export function checkRequest(request: CompressRequest): void {
  for (const { name, target } of request.goals) {
    const positive = Number.isFinite(target) && target > 0;
    const right =
      name === 'macs-ratio'
        ? positive && target <= 1
        : name === 'max-accuracy-drop'
          ? target >= 0
          : positive;
    if (!right) {
      throw new CompressionError(
        'COMPRESS_GOAL_INVALID',
        `--${name} ${target} is out of range; see the documented units.`,
      );
    }
    if (name === 'max-latency-ms' && !request.latency) {
      throw new CompressionError(
        'COMPRESS_GOAL_INVALID',
        '--max-latency-ms needs the profile of the device that it is meant for (--device PROFILE.json).',
      );
    }
  }
  const { sparsity = 0 } = request;
  if (!(sparsity >= 0 && sparsity <= 0.95)) {
    throw new CompressionError(
      'COMPRESS_GOAL_INVALID',
      `--sparsity ${sparsity} is not between 0 and 0.95.`,
    );
  }
  checkVaried(request.calibration);
}

/** Samples that differ, below which nothing can be fitted and judged. */
const LEAST_SAMPLES = 8;

/** Samples that are all the same teach no fit and tell no variant from another. */
function checkVaried({ x, count }: Dataset): void {
  const data = x.data as Uint8Array | Float32Array;
  const size = data.length / Math.max(count, 1);
  const different: number[] = [];
  for (let i = 0; i < count && different.length < LEAST_SAMPLES; i++) {
    if (!different.some((other) => sameSample(data, size, i, other))) different.push(i);
  }
  if (different.length >= LEAST_SAMPLES) return;
  const [first] = data;
  const constant = different.length === 1 && data.every((value) => value === first);
  const found = constant
    ? `every value is ${String(first)}`
    : `${different.length} of them differ from each other`;
  throw new CompressionError(
    'COMPRESS_CALIBRATION',
    count < LEAST_SAMPLES
      ? `The calibration file has ${count} samples; give at least ${LEAST_SAMPLES}, better some hundreds.`
      : `The calibration file has ${count} samples, but ${found}; give at least ${LEAST_SAMPLES} that differ, better some hundreds such as the model meets.`,
  );
}

function sameSample(data: Uint8Array | Float32Array, size: number, a: number, b: number): boolean {
  for (let i = 0; i < size; i++) if (data[a * size + i] !== data[b * size + i]) return false;
  return true;
}
