import { type Company, companyOf, weightShares } from './company.js';
import type { CandidateCosts } from './costs.js';
import type { DeviceCosts } from './path-costs.js';
import { type PathWork, pathWorkOf, weighPaths } from './path-work.js';
import { stepsOf } from './steps.js';

/** A model's work for one channel block, made once and then weighed with any device's costs. */
export interface Workload {
  readonly block: number;
  readonly paths: readonly PathWork[];
  readonly company: Company;
  /** Weights and activations that one inference goes through, bytes. */
  readonly bytes: number;
}

/** Relative error of what neighbours cost each other. */
const COMPANY_ERROR = 0.5;

/** Adds up a model's work for processors with a channel block. */
export function workloadOf(costs: CandidateCosts, block: number): Workload {
  const steps = stepsOf(costs, block);
  return {
    block,
    paths: pathWorkOf(
      steps.map((step) => ({ step, share: 1 })),
      block,
    ),
    company: companyOf(steps, costs.precision === 'int8'),
    bytes: costs.weightBytes + costs.arenaBytes,
  };
}

/** What a model's operators take over what they take among their like, by its precision. */
export function wholeFactor({ path }: Company, device: DeviceCosts): number {
  return device.whole[path === 'company' ? 'fp32' : 'int8'];
}

/** Milliseconds that the company of a model's operators costs. */
export function weighCompany(
  { company, bytes }: Pick<Workload, 'company' | 'bytes'>,
  device: DeviceCosts,
): number {
  const known = device.paths.get(company.path);
  if (!known) return 0;
  const { costs } = known;
  const { far, kept } = weightShares(bytes, device);
  const [convolutions, ...weights] = company.features;
  let ms = convolutions * (costs[0] ?? 0);
  for (let kind = 0; kind < weights.length; kind++) {
    const perByte = far * (costs[1 + kind] ?? 0) + kept * (costs[1 + weights.length + kind] ?? 0);
    ms += (weights[kind] ?? 0) * perByte;
  }
  return ms;
}

/** Milliseconds of a workload on a device without the call, and the expected error of that. */
export function weighWorkload(
  workload: Workload,
  device: DeviceCosts,
): { ms: number; deviation: number } {
  const { ms, variance } = weighPaths(workload.paths, device);
  const together = weighCompany(workload, device);
  const whole = wholeFactor(workload.company, device);
  return {
    ms: ms * whole + together,
    deviation: Math.sqrt(variance * whole ** 2 + (together * COMPANY_ERROR) ** 2),
  };
}
