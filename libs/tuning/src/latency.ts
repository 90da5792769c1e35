import type { Model } from '@espalier/onnx';
import type { Profile } from '@espalier/protocol';
import type { CandidateCosts } from './costs.js';
import { describeCandidate } from './describe.js';
import { deviceCosts } from './device-costs.js';
import type { DeviceCosts } from './path-costs.js';
import { pathWorkOf, weighPaths } from './path-work.js';
import { stepsOf } from './steps.js';
import { type Workload, weighCompany, weighWorkload, wholeFactor, workloadOf } from './workload.js';

/** A predicted median and the interval that holds a measured one nine times in ten, milliseconds. */
export interface LatencyInterval {
  readonly ms: number;
  readonly low: number;
  readonly high: number;
}

/** A prediction with its parts, in milliseconds by operation; the call itself is not among them. */
export interface LatencyPrediction extends LatencyInterval {
  readonly perNode: readonly {
    readonly name: string;
    readonly path: string;
    readonly ms: number;
  }[];
}

export interface LatencySettings {
  readonly threads: number;
}

/**
 * Predicts one inference of a model from the device's own kernel table.
 * @throws TuningError TUNING_GRAPH, TUNING_PROFILE
 */
export function predictLatency(
  model: Model,
  precision: 'fp32' | 'int8',
  profile: Profile,
  settings: LatencySettings,
): LatencyPrediction {
  return predictFromCosts(describeCandidate(model, precision), profile, settings);
}

/** The same from a kept description. @throws TuningError TUNING_PROFILE */
export function predictFromCosts(
  costs: CandidateCosts,
  profile: Profile,
  settings: LatencySettings,
): LatencyPrediction {
  const device = deviceCosts(profile, settings.threads);
  const steps = stepsOf(costs, device.block);
  const workload = workloadOf(costs, device.block);
  const whole = wholeFactor(workload.company, device);
  return {
    ...latencyOf(workload, device),
    perNode: [
      ...steps.map((step) => ({
        name: step.node.name,
        path: step.path,
        ms: whole * weighPaths(pathWorkOf([{ step, share: 1 }], device.block), device).ms,
      })),
      {
        name: 'all together',
        path: workload.company.path,
        ms: weighCompany(workload, device),
      },
    ],
  };
}

/** A prediction function for a search over variants of a model on one device. */
export function latencyEstimator(
  profile: Profile,
  settings: LatencySettings,
): (model: Model, precision: 'fp32' | 'int8') => number {
  const device = deviceCosts(profile, settings.threads);
  return (model, precision) =>
    latencyOf(workloadOf(describeCandidate(model, precision), device.block), device).ms;
}

/**
 * Relative error that stays even where every kernel fits: caches and scheduling in a whole model. With
 * this deviation nine in ten are within 15 %, which is what is asked of predictions and what the
 * benchmark of them finds.
 */
const WHOLE_MODEL_ERROR = 0.09;
/** Standard deviations to either side that hold nine in ten. */
const NINE_IN_TEN = 1.645;

/** The latency of a workload on a device, multiplied by a class's measured correction. */
export function latencyOf(workload: Workload, device: DeviceCosts, factor = 1): LatencyInterval {
  const { ms, deviation } = weighWorkload(workload, device);
  const half = NINE_IN_TEN * Math.hypot(deviation, ms * WHOLE_MODEL_ERROR);
  const total = ms + device.callMs;
  return {
    ms: total * factor,
    low: Math.max(0, total - half) * factor,
    high: (total + half) * factor,
  };
}
