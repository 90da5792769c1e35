import { parentPort, workerData } from 'node:worker_threads';
import {
  exclusionText,
  planFleet,
  predictFromCosts,
  TuningError,
  type Candidate,
  type PlanDevice,
} from '@espalier/tuning';
import type { PlanningTask } from './planning-thread.js';
import type { Assignment } from './schemas.js';

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
function plan({ devices, candidates }: PlanningTask): Assignment[] {
  const faults = new Map(devices.map((device) => [device.id, profileFault(device, candidates)]));
  const usable = devices.filter(({ id }) => faults.get(id) === null);
  const leftOut = devices.flatMap(({ id }): Assignment[] => {
    const fault = faults.get(id);
    return fault ? [unplanned(id, fault)] : [];
  });
  const { assignments } = planFleet(usable, candidates);
  return [
    ...assignments.map((one) => ({
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
    })),
    ...leftOut,
  ];
}

const unplanned = (deviceId: string, reason: string): Assignment => ({
  deviceId,
  candidateId: null,
  predictedLatencyMs: null,
  reasons: [reason],
  excluded: [],
});

try {
  parentPort?.postMessage({ assignments: plan(workerData as PlanningTask) });
} catch (cause) {
  if (!(cause instanceof TuningError)) throw cause;
  parentPort?.postMessage({ refused: { code: cause.code, message: cause.message } });
}
