import type { CandidateCosts } from './costs.js';
import { type DeviceCosts, kernelsOfPath, weigh } from './device-costs.js';
import { featuresOf, plainFeatures } from './features.js';
import { type KernelWork, type Position, positionOf } from './kernel-work.js';
import { type CodePath, type Step, stepsOf } from './steps.js';

/** All steps of one path in a model, added up. */
interface PathWork {
  readonly path: CodePath;
  readonly int8: boolean;
  readonly features: readonly number[];
  readonly plain: readonly number[];
  /** For each kernel of the path, the features weighted by how near that kernel is. */
  readonly nearKernels: readonly (readonly number[])[];
}

/** A model's work for one channel block, made once and then weighed with any device's costs. */
export interface Workload {
  readonly block: number;
  readonly paths: readonly PathWork[];
}

/** How far a kernel speaks for its neighbours, in octaves. */
const BANDWIDTH = 1.2;
/** Weight of the fit itself against the kernels around. */
const FIT_WEIGHT = 0.35;

/** Adds up a model's work for processors with a channel block. */
export function workloadOf(costs: Pick<CandidateCosts, 'nodes'>, block: number): Workload {
  const kernels = kernelsOfPath(block);
  const paths = new Map<
    CodePath,
    { int8: boolean; features: number[]; plain: number[]; nearKernels: number[][] }
  >();
  for (const step of stepsOf(costs, block)) {
    const own = featuresOf(step, block);
    const near = nearness(step, kernels.get(step.path) ?? []);
    let entry = paths.get(step.path);
    if (!entry) {
      entry = {
        int8: step.node.int8,
        features: own.map(() => 0),
        plain: [0, 0, 0],
        nearKernels: near.map(() => own.map(() => 0)),
      };
      paths.set(step.path, entry);
    }
    accumulate(entry.features, own, 1);
    accumulate(entry.plain, plainFeatures(step.node), 1);
    for (const [at, sum] of entry.nearKernels.entries()) accumulate(sum, own, near[at] ?? 0);
  }
  return { block, paths: [...paths].map(([path, work]) => ({ path, ...work })) };
}

/** Milliseconds of a workload on a device without the call, and the expected error of that. */
export function weighWorkload(
  workload: Workload,
  device: DeviceCosts,
): { ms: number; deviation: number } {
  let ms = 0;
  let variance = 0;
  for (const work of workload.paths) {
    const known = device.paths.get(work.path);
    let time: number;
    if (known) {
      time = weigh(work.features, known.costs);
      for (const [at, near] of work.nearKernels.entries()) {
        const ratio = known.ratios[at] ?? 1;
        if (ratio !== 1) time += (ratio - 1) * weigh(near, known.costs);
      }
    } else {
      time = weigh(work.plain, device.plain[work.int8 ? 'int8' : 'fp32']);
    }
    ms += time;
    variance += (time * (known?.error ?? UNMEASURED_ERROR)) ** 2;
  }
  return { ms, deviation: Math.sqrt(variance) };
}

/** Relative error where a path was not measured on the device. */
const UNMEASURED_ERROR = 0.5;

/** The same for one step. */
export function weighStep(step: Step, device: DeviceCosts): number {
  const known = device.paths.get(step.path);
  if (!known) {
    return weigh(plainFeatures(step.node), device.plain[step.node.int8 ? 'int8' : 'fp32']);
  }
  const near = nearness(step, kernelsOfPath(device.block).get(step.path) ?? []);
  const fitted = weigh(featuresOf(step, device.block), known.costs);
  const correction = near.reduce(
    (sum, weight, at) => sum + weight * ((known.ratios[at] ?? 1) - 1),
    0,
  );
  return fitted * (1 + correction);
}

/** The weight of each kernel's ratio for a step; with the fit's own weight they sum to 1. */
function nearness(step: Step, kernels: readonly KernelWork[]): number[] {
  const position = positionOf(step.node);
  const weights = kernels.map(({ positions }) => {
    const squared = Math.min(...positions.map((other) => squaredDistance(position, other)));
    return Math.exp(-squared / (2 * BANDWIDTH ** 2));
  });
  const total = weights.reduce((sum, weight) => sum + weight, FIT_WEIGHT);
  return weights.map((weight) => weight / total);
}

function squaredDistance(a: Position, b: Position): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return sum;
}

function accumulate(sum: number[], values: readonly number[], weight: number): void {
  for (let i = 0; i < values.length; i++) sum[i] = (sum[i] ?? 0) + weight * (values[i] ?? 0);
}
