import { Worker } from 'node:worker_threads';
import {
  TuningError,
  type Candidate,
  type PlanDevice,
  type TuningErrorCode,
} from '@espalier/tuning';
import type { Assignment } from './schemas.js';

/** What a plan is made of. */
export interface PlanningTask {
  readonly devices: readonly PlanDevice[];
  readonly candidates: readonly Candidate[];
}

/** What the thread answers. */
type PlanningAnswer =
  | { readonly assignments: Assignment[] }
  | { readonly refused: { readonly code: TuningErrorCode; readonly message: string } };

/**
 * Plans in a thread of its own, so that the API answers meanwhile.
 * @throws TuningError TUNING_CANDIDATES
 */
export function planInThread(task: PlanningTask): Promise<Assignment[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./planning-worker.js', import.meta.url), {
      workerData: task,
    });
    worker.once('message', (answer: PlanningAnswer) => {
      if ('assignments' in answer) resolve(answer.assignments);
      else reject(new TuningError(answer.refused.code, answer.refused.message));
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('The planning thread ended without an answer.')));
  });
}
