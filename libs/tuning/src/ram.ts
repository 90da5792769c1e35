import type { Model } from '@espalier/onnx';
import type { Profile } from '@espalier/protocol';
import type { CandidateCosts } from './costs.js';
import { describeCandidate } from './describe.js';

/** Predicted resident memory of a model, bytes, over the runtime without one. */
export interface RamPrediction {
  readonly incrementBytes: number;
  /** The runtime and the increment together. */
  readonly totalBytes: number;
}

/**
 * Predicts how much the resident set grows when a model is loaded and run, over the runtime loaded
 * without a model.
 * @throws TuningError TUNING_GRAPH
 */
export function predictRam(
  model: Model,
  precision: 'fp32' | 'int8',
  profile: Profile,
): RamPrediction {
  const incrementBytes = ramIncrement(describeCandidate(model, precision));
  return { incrementBytes, totalBytes: profile.memory.runtimeBytes + incrementBytes };
}

/** The session's own structures: graph, kernels, allocator. */
const SESSION_BYTES = 1.5 * 2 ** 20;

/** The same increment from a kept description. */
export function ramIncrement(costs: CandidateCosts): number {
  return Math.ceil(SESSION_BYTES + costs.weightBytes + costs.arenaBytes);
}
