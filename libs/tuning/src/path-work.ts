import { featuresOf, plainFeatures, weigh } from './features.js';
import { kernelsOfPath, type KernelWork, type Position, positionOf } from './kernel-work.js';
import type { DeviceCosts } from './path-costs.js';
import type { CodePath, Step } from './steps.js';

/** All steps of one path, added up; independent of any device. */
export interface PathWork {
  readonly path: CodePath;
  readonly int8: boolean;
  readonly features: Float64Array;
  readonly plain: readonly number[];
  /** For each kernel of the path, one after another: the features weighted by how near it is. */
  readonly nearKernels: Float64Array;
}

/** A step, and how often it counts. */
export interface SharedStep {
  readonly step: Step;
  readonly share: number;
}

/** How far a kernel speaks for its neighbours, in octaves. */
const BANDWIDTH = 1.2;
/** Weight of the fit itself against the kernels around. */
const FIT_WEIGHT = 0.35;
/** Relative error where a path was not measured on the device. */
const UNMEASURED_ERROR = 0.5;

/** Adds steps up by path for processors with a channel block. */
export function pathWorkOf(steps: readonly SharedStep[], block: number): PathWork[] {
  const kernels = kernelsOfPath(block);
  const paths = new Map<
    CodePath,
    { int8: boolean; features: number[]; plain: number[]; nearKernels: number[][] }
  >();
  for (const { step, share } of steps) {
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
    accumulate(entry.features, own, share);
    accumulate(entry.plain, plainFeatures(step.node), share);
    for (const [at, sum] of entry.nearKernels.entries()) {
      accumulate(sum, own, share * (near[at] ?? 0));
    }
  }
  return [...paths].map(([path, work]) => ({
    path,
    ...work,
    features: Float64Array.from(work.features),
    nearKernels: Float64Array.from(work.nearKernels.flat()),
  }));
}

/** Milliseconds of work on a device, and the expected error of that. */
export function weighPaths(
  works: readonly PathWork[],
  device: Pick<DeviceCosts, 'paths' | 'plain'>,
): { ms: number; variance: number } {
  let ms = 0;
  let variance = 0;
  for (const work of works) {
    const known = device.paths.get(work.path);
    let time: number;
    if (known) {
      const { costs, ratios } = known;
      const { nearKernels } = work;
      time = product(work.features, 0, costs);
      for (let at = 0, start = 0; at < ratios.length; at++, start += costs.length) {
        const change = (ratios[at] ?? 1) - 1;
        if (change !== 0) time += change * product(nearKernels, start, costs);
      }
    } else {
      time = weigh(work.plain, device.plain[work.int8 ? 'int8' : 'fp32']);
    }
    ms += time;
    variance += (time * (known?.error ?? UNMEASURED_ERROR)) ** 2;
  }
  return { ms, variance };
}

/** The same as `weigh` from a place on, kept to one kind of array, for a fleet asks it millions of times. */
function product(amounts: Float64Array, start: number, costs: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < costs.length; i++) sum += (amounts[start + i] ?? 0) * (costs[i] ?? 0);
  return sum;
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
