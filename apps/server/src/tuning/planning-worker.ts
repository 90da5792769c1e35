import { parentPort, workerData } from 'node:worker_threads';
import {
  chooseVariant,
  exclusionText,
  planFleet,
  predictFromCosts,
  TuningError,
  type Candidate,
  type PlanDevice,
} from '@espalier/tuning';
import type { Planned, PlanningTask } from './planning-thread.js';
import type { PlanOption } from './schemas.js';

/** Why no prediction can be made from a device's profile; null: one can. */
function profileFault({ profile }: PlanDevice, [candidate]: readonly Candidate[]): string | null {
  if (!candidate) return null;
  try {
    predictFromCosts(candidate.costs, profile, { threads: 1 });
    return null;
  } catch (cause) {
    if (cause instanceof TuningError && cause.code === 'TUNING_PROFILE') return cause.message;
    throw cause;
  }
}

/** Plans the devices whose profile can be used; the others are left out, with the reason. */
function plan({ devices, candidates, detail }: PlanningTask): Planned[] {
  const faults = new Map(devices.map((device) => [device.id, profileFault(device, candidates)]));
  const usable = devices.filter(({ id }) => faults.get(id) === null);
  const leftOut = devices.flatMap(({ id }): Planned[] => {
    const fault = faults.get(id);
    return fault ? [unplanned(id, fault)] : [];
  });
  const { assignments } = planFleet(usable, candidates);
  const byId = new Map(usable.map((device) => [device.id, device]));
  return [
    ...assignments.map((one): Planned => {
      const device = byId.get(one.deviceId);
      return {
        assignment: {
          deviceId: one.deviceId,
          candidateId: one.candidateId,
          predictedLatencyMs: one.predicted?.ms ?? null,
          reasons: [...one.reasons],
          excluded: one.excluded.map(({ candidateId, overruns }) => ({
            candidateId,
            why: exclusionText(overruns),
          })),
          ...(one.wouldFit
            ? { wouldFit: { candidateId: one.wouldFit.candidateId, text: one.wouldFit.text } }
            : {}),
          ...(one.loss > 0 ? { loss: one.loss } : {}),
        },
        predicted: one.predicted,
        options: detail && device ? optionsOf(device, candidates) : [],
      };
    }),
    ...leftOut,
  ];
}

/** What each candidate would cost on a device, the most accurate first. */
function optionsOf(device: PlanDevice, candidates: readonly Candidate[]): PlanOption[] {
  const { profile, budget, latencyFactor = 1 } = device;
  const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]));
  return chooseVariant(profile, budget, candidates, { latencyFactor }).options.flatMap(
    ({ candidateId, predicted, overruns, excluded }): PlanOption[] => {
      const candidate = byId.get(candidateId);
      if (!candidate) return [];
      const { ms, low, high, ramBytes, storageBytes, transferBytes } = predicted;
      return [
        {
          ...{ candidateId, precision: candidate.precision, accuracy: candidate.accuracy },
          latencyMs: { low, predicted: ms, high },
          ...{ ramBytes, storageBytes, transferBytes },
          excludedBy: excluded ? exclusionText(overruns) : null,
        },
      ];
    },
  );
}

const unplanned = (deviceId: string, reason: string): Planned => ({
  assignment: {
    ...{ deviceId, candidateId: null, predictedLatencyMs: null, reasons: [reason] },
    excluded: [],
  },
  predicted: null,
  options: [],
});

try {
  parentPort?.postMessage({ planned: plan(workerData as PlanningTask) });
} catch (cause) {
  if (!(cause instanceof TuningError)) throw cause;
  parentPort?.postMessage({ refused: { code: cause.code, message: cause.message } });
}
