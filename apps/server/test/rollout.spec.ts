import { jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import type { RolloutView } from '../src/rollout/schemas.js';
import { uploadSmall } from './small-model.js';
import { installSmallest, makeCandidates, prepareRollout } from './walkthrough.js';
import { profileOf, ScriptedDevice } from './scripted-device.js';
import { ServerProcess } from './server-process.js';

jest.setTimeout(300_000);

describe('a rollout to devices over the real broker', () => {
  let server: ServerProcess;
  let modelId: string;
  const devices: ScriptedDevice[] = [];

  const fleet = async (count: number, site: string): Promise<ScriptedDevice[]> => {
    const made = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        ScriptedDevice.enrol(server, `${site}-${index}`, { site }),
      ),
    );
    for (const device of made) {
      await device.connect(profileOf());
      devices.push(device);
    }
    for (const { id } of made) {
      await server.until<{ state: string }>(`/api/v1/devices/${id}`, (d) => d.state === 'ready');
    }
    return made;
  };
  const ended = (id: string): Promise<RolloutView> =>
    server.until<RolloutView>(`/api/v1/rollouts/${id}`, ({ status }) =>
      ['completed', 'halted', 'aborted', 'held'].includes(status),
    );

  beforeAll(async () => {
    server = await ServerProcess.start();
    modelId = (await uploadSmall(server)).id;
    await makeCandidates(server, modelId, { points: 2, precisions: ['fp32'] });
  });

  afterAll(async () => {
    for (const device of devices) await device.disconnect();
    await server.dispose();
  });

  it('goes stage by stage to active, each device with the bytes of its variant', async () => {
    const [first, second] = await fleet(2, 'good');
    const { id } = await prepareRollout(server, modelId, 'site=good');
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, { by: 'ada', why: 'a test' });
    const rollout = await ended(id);
    expect(rollout.status).toBe('completed');
    expect(rollout.devices.map(({ status }) => status)).toEqual(['active', 'active']);
    for (const device of [first!, second!]) {
      const row = rollout.devices.find(({ deviceId }) => deviceId === device.id)!;
      expect(row.sentBytes).toBeGreaterThanOrEqual(device.artifact!.byteLength);
      const { candidates } = await server.ok<{
        candidates: { id: string; artifact: { sha256: string } }[];
      }>('GET', `/api/v1/models/${modelId}/candidates`);
      const candidate = candidates.find((one) => one.id === device.running!.variantId)!;
      expect(createHash('sha256').update(device.artifact!).digest('hex')).toBe(
        candidate.artifact.sha256,
      );
    }
    const { decisions } = await server.ok<{ decisions: { rule: string; by?: string }[] }>(
      'GET',
      `/api/v1/rollouts/${id}/decisions`,
    );
    expect(decisions[0]).toMatchObject({ rule: 'order', by: 'ada', outcome: 'start' });
    expect(decisions.at(-1)).toMatchObject({ rule: 'end', outcome: 'completed' });
  });

  it('marks a device failed that names another hash, halts, and takes the other back', async () => {
    const made = await fleet(2, 'swapped');
    await installSmallest(
      server,
      modelId,
      'site=swapped',
      made.map(({ id }) => id),
    );
    const small = made[0]!.running!;

    const { id } = await prepareRollout(server, modelId, 'site=swapped');
    const planned = await server.ok<RolloutView>('GET', `/api/v1/rollouts/${id}`);
    const [firstId] = planned.devices.map(({ deviceId }) => deviceId);
    for (const device of made) {
      device.behaviour = (target) =>
        target.modelSha256 === small.modelSha256 || device.id === firstId ? 'good' : 'wrong-hash';
    }
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, {});
    const rollout = await ended(id);
    expect(rollout.status).toBe('halted');
    expect(made.map(({ running }) => running)).toEqual([small, small]);
    const wrong = rollout.devices.find(({ deviceId }) => deviceId !== firstId)!;
    expect(wrong.failure?.code).toBe('ROLLOUT_HASH');
    const { decisions } = await server.ok<{ decisions: Record<string, unknown>[] }>(
      'GET',
      `/api/v1/rollouts/${id}/decisions`,
    );
    expect(decisions).toContainEqual(
      expect.objectContaining({
        rule: 'failed-share',
        outcome: 'halt',
        numbers: expect.objectContaining({ active: 0, failed: 1, maxFailedShare: 0.25 }),
      }),
    );
  });
});
