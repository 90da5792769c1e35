import { setTimeout } from 'node:timers/promises';
import type { ApiClient } from './api/client.js';
import { cancelJob, getJob, type Job } from './api/models.js';
import { ApiProblem } from './errors.js';
import type { StageProgress } from './output/stage-progress.js';

const POLL_MS = 300;
const PERCENT = 100;

/**
 * Follows a job to its end, showing its stages; an interrupt cancels it.
 * @throws ApiProblem with the job's own code when it failed or was cancelled
 */
export async function followJob(
  api: ApiClient,
  first: Job,
  stages: StageProgress,
  signal: AbortSignal,
): Promise<void> {
  let job = first;
  try {
    while (job.state === 'queued' || job.state === 'running') {
      const done = Math.round(job.progress * PERCENT);
      stages.update({ stage: job.stage, done, total: PERCENT });
      await setTimeout(POLL_MS, undefined, { signal });
      job = await getJob(api, job.id);
    }
  } catch (error) {
    if (signal.aborted) await cancelJob(api.unsignalled(), job.id);
    throw error;
  }
  if (job.state === 'done') return;
  const { code, message } = job.error ?? {
    code: 'COMPRESS_CANCELLED',
    message: `Job ${job.id} was ${job.state}.`,
  };
  throw new ApiProblem(code, 422, message);
}
