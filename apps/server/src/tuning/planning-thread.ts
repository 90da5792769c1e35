import { Worker } from 'node:worker_threads';
import {
  TuningError,
  type Candidate,
  type Estimate,
  type PlanDevice,
  type TuningErrorCode,
} from '@espalier/tuning';
import type { Assignment, PlanOption } from './schemas.js';

/** What a plan is made of. */
export interface PlanningTask {
  readonly devices: readonly PlanDevice[];
  readonly candidates: readonly Candidate[];
  /** Whether every candidate is to be told of, for each device. */
  readonly detail: boolean;
}

/** One device's plan; `predicted` and `options` do not enter the stored document. */
export interface Planned {
  readonly assignment: Assignment;
  readonly predicted: Estimate | null;
  /** Empty without detail. */
  readonly options: readonly PlanOption[];
}

/** What the thread answers. */
type PlanningAnswer =
  | { readonly planned: Planned[] }
  | { readonly refused: { readonly code: TuningErrorCode; readonly message: string } };

/**
 * Plans in a thread of its own, so that the API answers meanwhile.
 * @throws TuningError TUNING_CANDIDATES
 */
export function planInThread(task: PlanningTask): Promise<Planned[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./planning-worker.js', import.meta.url), {
      workerData: task,
    });
    worker.once('message', (answer: PlanningAnswer) => {
      if ('planned' in answer) resolve(answer.planned);
      else reject(new TuningError(answer.refused.code, answer.refused.message));
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('The planning thread ended without an answer.')));
  });
}

/**
 * Plans devices without detail, by their ids, each among the candidates but one; one for which no other
 * is left is not planned.
 * @throws TuningError TUNING_CANDIDATES
 */
export async function planEach(
  all: readonly { readonly device: PlanDevice; readonly without: string | null }[],
  candidates: readonly Candidate[],
): Promise<Map<string, Planned>> {
  const plans = new Map<string, Planned>();
  for (const left of new Set(all.map(({ without }) => without))) {
    const offered = candidates.filter(({ id }) => id !== left);
    if (offered.length === 0) continue;
    const devices = all.flatMap(({ device, without }) => (without === left ? [device] : []));
    for (const one of await planInThread({ devices, candidates: offered, detail: false })) {
      plans.set(one.assignment.deviceId, one);
    }
  }
  return plans;
}
