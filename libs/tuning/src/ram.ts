import type { Model } from '@espalier/onnx';
import type { Profile } from '@espalier/protocol';
import { weightBytesOf } from './company.js';
import type { CandidateCosts } from './costs.js';
import { describeCandidate } from './describe.js';
import { blockOf } from './device-costs.js';
import { type Step, stepsOf } from './steps.js';

/** Predicted resident memory of a model, bytes, over the runtime without one. */
export interface RamPrediction {
  readonly incrementBytes: number;
  /** The runtime and the increment together. */
  readonly totalBytes: number;
}

/**
 * Predicts how far the resident set grows at most while a model is loaded and run, over the runtime
 * loaded without a model, where the allocator gives freed memory back.
 * @throws TuningError TUNING_GRAPH
 */
export function predictRam(
  model: Model,
  precision: 'fp32' | 'int8',
  profile: Profile,
): RamPrediction {
  const incrementBytes = ramIncrement(describeCandidate(model, precision), blockOf(profile));
  return { incrementBytes, totalBytes: profile.memory.runtimeBytes + incrementBytes };
}

/** The session's own structures: what any has, and what an operator adds. */
const SESSION_BYTES = 0.8 * 2 ** 20;
const OPERATOR_BYTES = 20 * 1024;
/** Copies of one tensor that are held while its channels are put into blocks. */
const COPIES_WHILE_BLOCKED = 3;

/**
 * The same increment from a kept description. Loading needs the most: the file's bytes, which the
 * caller holds; the same again as the runtime reads them; and then either every convolution's weights
 * anew in channel blocks, with copies of the one at work, or the tensor that is being moved. Running
 * needs the weights and the activations.
 */
export function ramIncrement(costs: CandidateCosts, block: number): number {
  const { weightBytes, arenaBytes } = costs;
  const steps = stepsOf(costs, block);
  let [blocked, largestBlocked, largest] = [0, 0, 0];
  for (const step of steps) {
    const bytes = weightBytesOf(step.node);
    largest = Math.max(largest, bytes);
    if (!step.path.startsWith('blocked')) continue;
    const padded = bytes * padding(step, block);
    blocked += padded;
    largestBlocked = Math.max(largestBlocked, padded);
  }
  const moving = Math.max(largest, blocked + COPIES_WHILE_BLOCKED * largestBlocked);
  const own = SESSION_BYTES + OPERATOR_BYTES * steps.length;
  return Math.ceil(own + 2 * weightBytes + Math.max(moving, arenaBytes));
}

/** How much larger weights become when channels fill whole blocks. */
function padding({ path, node }: Step, block: number): number {
  const up = (channels: number): number => Math.ceil(channels / block) * block;
  const inputs = path === 'blocked-pointwise' || path === 'blocked-conv';
  const depth = inputs ? up(node.cin) / node.cin : 1;
  return (up(node.cout) / node.cout) * depth;
}
