import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeNpz } from '@espalier/dataset';
import { jest } from '@jest/globals';
import type { JobView } from '../src/models/schemas.js';
import { ServerProcess } from './server-process.js';
import { uploadSmall } from './small-model.js';
import { makeCandidates } from './walkthrough.js';

jest.setTimeout(300_000);

const example = (name: string): Blob =>
  new Blob([
    Buffer.from(readFileSync(fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url)))),
  ]);

async function uploadFashion(server: ServerProcess): Promise<{ id: string; inspection: object }> {
  const form = new FormData();
  form.set('name', 'fashion');
  form.set('model', example('fashion-mobilenetv2.onnx'), 'model.onnx');
  form.set('calibration', example('fashion-calibration.npz'), 'calibration.npz');
  form.set('evaluation', example('fashion-evaluation.npz'), 'evaluation.npz');
  form.set('card', example('fashion-mobilenetv2.json'), 'card.json');
  return server.ok('POST', '/api/v1/models', form);
}

describe('models', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start({ MAX_MODEL_MIB: '1', MAX_MODELS: '4' });
  });
  afterAll(() => server.dispose());

  const upload = (change: (form: FormData) => void) => {
    const form = new FormData();
    form.set('name', 'bad');
    form.set('model', example('fashion-mobilenetv2.onnx'), 'model.onnx');
    form.set('calibration', example('fashion-calibration.npz'), 'calibration.npz');
    change(form);
    return server.call('POST', '/api/v1/models', form);
  };

  it('are taken with their data, looked into, and are the same when they come again', async () => {
    const first = await uploadFashion(server);
    expect(first.inspection).toMatchObject({
      params: expect.any(Number),
      groups: expect.any(Array),
    });
    expect((await uploadFashion(server)).id).toBe(first.id);
    const { models } = await server.ok<{ models: { id: string }[] }>('GET', '/api/v1/models');
    expect(models.map(({ id }) => id)).toEqual([first.id]);
  });

  it('that are no models, or lack their data, are refused with a code', async () => {
    const rubbish = new Blob([Buffer.alloc(2_000, 7)]);
    const x = {
      dims: [8, 32, 32, 3],
      dtype: 'uint8',
      data: new Uint8Array(8 * 32 * 32 * 3),
    } as const;
    const larger = Buffer.from(writeNpz({ x }));
    const answers = [
      await upload((form) => form.set('model', rubbish, 'model.onnx')),
      await upload((form) => form.set('calibration', rubbish, 'calibration.npz')),
      await upload((form) => form.set('card', new Blob(['{"input":{"std":[0]}}']), 'card.json')),
      await upload((form) => form.set('calibration', new Blob([larger]), 'calibration.npz')),
      await upload((form) => form.delete('calibration')),
      await upload((form) => form.set('model', new Blob([Buffer.alloc(2 ** 20 + 1)]), 'm.onnx')),
      await upload((form) => form.set('surprise', rubbish, 'x')),
    ];
    expect(answers.map(({ status, body }) => [status, body['code']])).toEqual([
      [422, expect.stringMatching(/^ONNX_/)],
      [422, expect.stringMatching(/^DATASET_/)],
      [422, 'CARD_INVALID'],
      [422, 'DATASET_SHAPE'],
      [400, 'UPLOAD_INCOMPLETE'],
      [413, 'UPLOAD_TOO_LARGE'],
      [400, 'REQUEST_INVALID'],
    ]);
    expect(await server.ok('GET', '/health')).toMatchObject({ status: 'ok' });
  });

  it('are compressed while the API answers within 200 ms, and a cancel ends it at once', async () => {
    const { id } = await uploadFashion(server);
    const job = await server.ok<JobView>('POST', `/api/v1/models/${id}/candidates`, { points: 8 });
    const stages = new Set<string>();
    const times: number[] = [];
    await server.until<JobView>(`/api/v1/jobs/${job.id}`, ({ state, stage }) => {
      stages.add(stage);
      return state === 'running' && stages.size > 2;
    });
    for (let at = 0; at < 60; at += 1) {
      const from = performance.now();
      await server.ok('GET', at % 2 === 0 ? '/api/v1/devices' : `/api/v1/jobs/${job.id}`);
      times.push(performance.now() - from);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    times.sort((a, b) => a - b);
    expect(times[Math.floor(times.length * 0.9)]).toBeLessThan(200);
    expect(await server.call('DELETE', `/api/v1/models/${id}`)).toMatchObject({
      status: 409,
      body: { code: 'MODEL_IN_USE' },
    });
    expect(await server.ok('DELETE', `/api/v1/jobs/${job.id}`)).toMatchObject({
      state: 'cancelled',
    });
    const over = await server.call('DELETE', `/api/v1/jobs/${job.id}`);
    expect(over).toMatchObject({ status: 409, body: { code: 'JOB_OVER' } });
    const { candidates } = await server.ok<{ candidates: object[] }>(
      'GET',
      `/api/v1/models/${id}/candidates`,
    );
    expect(candidates).toEqual([]);
  });

  it('give candidates with their whole report; the same request adds none', async () => {
    const { id } = await uploadSmall(server);
    await makeCandidates(server, id, { points: 2, precisions: ['fp32'] });
    const list = () =>
      server.ok<{ candidates: { id: string; report: object; artifact: object }[] }>(
        'GET',
        `/api/v1/models/${id}/candidates`,
      );
    const { candidates } = await list();
    expect(candidates).toHaveLength(2);
    expect(candidates[0]?.report).toMatchObject({ schemaVersion: 1, quality: { samples: 400 } });
    await makeCandidates(server, id, { points: 2, precisions: ['fp32'] });
    expect((await list()).candidates.map((one) => one.id)).toEqual(candidates.map((one) => one.id));
  });

  it('go on being compressed by the next server when this one is killed', async () => {
    const { id } = await uploadSmall(server, 2);
    const job = await server.ok<JobView>('POST', `/api/v1/models/${id}/candidates`, { points: 2 });
    await server.end('SIGKILL');
    await server.launch();
    const ended = await server.until<JobView>(
      `/api/v1/jobs/${job.id}`,
      ({ state }) => state !== 'queued' && state !== 'running',
      90,
    );
    expect(ended).toMatchObject({ state: 'done', progress: 1 });
  });

  it('tell those who watch how a compression goes', async () => {
    const { id } = await uploadSmall(server, 3);
    const watching = await server.fetch('/api/v1/events');
    const reader = watching.body!.pipeThrough(new TextDecoderStream()).getReader();
    await makeCandidates(server, id, { points: 1, precisions: ['fp32'] });
    let seen = '';
    while (!seen.includes('"state":"done"')) {
      const { value, done } = await reader.read();
      if (done) break;
      seen += value;
    }
    await reader.cancel();
    expect(seen).toMatch(/event: job\n/);
    expect(seen).toContain('"state":"running"');
  });

  it('are no more than the store holds, until one is removed with all that was made of it', async () => {
    const files = (): string[] => readdirSync(join(server.dataDir, 'blobs')).sort();
    const before = files();
    await expect(uploadSmall(server, 4)).rejects.toThrow(/507 .*MODELS_FULL/);
    expect(files()).toEqual(before);
    const { id } = await uploadSmall(server, 3);
    expect(await server.call('DELETE', `/api/v1/models/${id}`)).toMatchObject({ status: 204 });
    expect(await server.call('GET', `/api/v1/models/${id}/candidates`)).toMatchObject({
      status: 404,
    });
    // Model, calibration and evaluation, and a candidate with its artifact.
    expect(before.length - files().length).toBeGreaterThanOrEqual(4);
    await uploadSmall(server, 4);
  });
});
