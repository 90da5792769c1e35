import type { Profile } from '@espalier/protocol';
import type { Candidate } from './candidate.js';
import { deviceCosts } from './device-costs.js';
import type { DeviceCosts } from './path-costs.js';
import { latencyOf } from './latency.js';
import type { Estimate } from './limits.js';
import { ramIncrement } from './ram.js';
import { type Workload, workloadOf } from './workload.js';

/** How a prediction is made and corrected for a device. */
export interface EstimateSettings {
  /** Threads of the session; at most the device's cores count. Default 1. */
  readonly threads?: number;
  /** Measured over predicted latency of the device's class, from the fleet. Default 1. */
  readonly latencyFactor?: number;
  /** Bytes of the model that stays for roll-back; by default one as large as the candidate. */
  readonly keptBytes?: number;
}

/** A candidate made ready for many devices: its work for each channel block met so far. */
export class Estimator {
  private readonly workloads = new Map<number, Workload>();
  private readonly ramBytes = new Map<number, number>();

  constructor(readonly candidate: Candidate) {}

  /** What the candidate costs on a device. */
  on(device: DeviceCosts, settings: EstimateSettings): Estimate {
    const { artifactBytes, costs, modelBytes, peakRamBytes } = this.candidate;
    let workload = this.workloads.get(device.block);
    if (!workload) {
      workload = workloadOf(costs, device.block);
      this.workloads.set(device.block, workload);
    }
    let ramBytes = this.ramBytes.get(device.block);
    if (ramBytes === undefined) {
      ramBytes = Math.max(ramIncrement(costs, device.block), peakRamBytes);
      this.ramBytes.set(device.block, ramBytes);
    }
    const { ms, low, high } = latencyOf(workload, device, settings.latencyFactor);
    return {
      ms,
      low,
      high,
      ramBytes,
      storageBytes: artifactBytes + modelBytes + (settings.keptBytes ?? modelBytes),
      transferBytes: artifactBytes,
    };
  }
}

/** The costs of a device at the session's threads. */
export function costsOfDevice(profile: Profile, settings: EstimateSettings): DeviceCosts {
  return deviceCosts(profile, Math.min(settings.threads ?? 1, profile.cpu.cores));
}
