import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ServerProcess } from './server-process.js';

const example = (name: string): Buffer<ArrayBuffer> =>
  Buffer.from(readFileSync(fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url))));

/** Uploads the example model with its data. */
export async function uploadFashion(server: ServerProcess): Promise<{ id: string }> {
  const form = new FormData();
  form.set('name', 'fashion');
  form.set('model', new Blob([example('fashion-mobilenetv2.onnx')]), 'model.onnx');
  form.set('calibration', new Blob([example('fashion-calibration.npz')]), 'calibration.npz');
  form.set('evaluation', new Blob([example('fashion-evaluation.npz')]), 'evaluation.npz');
  form.set('card', new Blob([example('fashion-mobilenetv2.json')]), 'card.json');
  return server.ok('POST', '/api/v1/models', form);
}

/** Makes candidates of a model and waits for them. */
export async function makeCandidates(
  server: ServerProcess,
  modelId: string,
  request: object,
): Promise<void> {
  const job = await server.ok<{ id: string }>(
    'POST',
    `/api/v1/models/${modelId}/candidates`,
    request,
  );
  const ended = await server.until<{ state: string; error?: unknown }>(
    `/api/v1/jobs/${job.id}`,
    ({ state }) => state !== 'queued' && state !== 'running',
    200,
  );
  if (ended.state !== 'done') throw new Error(JSON.stringify(ended));
}

/** Plan, release and rollout for the selected devices; not started. */
export async function prepareRollout(
  server: ServerProcess,
  modelId: string,
  selector: string,
  spec: object = {},
): Promise<{ id: string; releaseId: string; planId: string }> {
  const plan = await server.ok<{ id: string }>('POST', '/api/v1/plans', { modelId, selector });
  const release = await server.ok<{ id: string }>('POST', '/api/v1/releases', {
    modelId,
    planId: plan.id,
  });
  const rollout = await server.ok<{ id: string }>('POST', '/api/v1/rollouts', {
    releaseId: release.id,
    planId: plan.id,
    stages: [{ percent: 50 }, { percent: 100 }],
    gate: { maxFailedShare: 0.25, minSample: 1 },
    soakSeconds: 0,
    deviceDeadlineSeconds: 300,
    ...spec,
  });
  return { id: rollout.id, releaseId: release.id, planId: plan.id };
}

/**
 * Takes devices that ran nothing to the smallest candidate, then lifts their limit, so that the next
 * plan gives them a larger one.
 */
export async function installSmallest(
  server: ServerProcess,
  modelId: string,
  selector: string,
  deviceIds: readonly string[],
): Promise<void> {
  const { candidates } = await server.ok<{ candidates: { artifact: { bytes: number } }[] }>(
    'GET',
    `/api/v1/models/${modelId}/candidates`,
  );
  const transferBytes = Math.min(...candidates.map(({ artifact }) => artifact.bytes));
  for (const id of deviceIds) {
    await server.ok('PATCH', `/api/v1/devices/${id}`, { budget: { transferBytes } });
  }
  const { id } = await prepareRollout(server, modelId, selector);
  await server.ok('POST', `/api/v1/rollouts/${id}/start`, {});
  const { status } = await server.until<{ status: string }>(
    `/api/v1/rollouts/${id}`,
    (rollout) => rollout.status !== 'running',
  );
  if (status !== 'completed') throw new Error(`The first rollout ended ${status}.`);
  for (const deviceId of deviceIds) {
    await server.ok('PATCH', `/api/v1/devices/${deviceId}`, { budget: {} });
  }
}
