import { jest } from '@jest/globals';
import type { RolloutPreview } from '@espalier/protocol';
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
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, { why: 'a test' });
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
    expect(decisions[0]).toMatchObject({ rule: 'order', by: 'admin', outcome: 'start' });
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

  it('is paused by an alert, again when it is resumed, and no more once somebody has seen it', async () => {
    const [device] = await fleet(1, 'watched');
    device!.behaviour = () => 'silent';
    // Any reading is bad.
    const { id: ruleId } = await server.ok<{ id: string }>('POST', '/api/v1/alert-rules', {
      ...{ name: 'all of it', metric: 'silence', raise: 0, clear: 0, forSeconds: 0 },
      actions: { pauseRollouts: true },
    });
    const { alerts } = await server.until<{ alerts: { id: string; ruleId: string }[] }>(
      '/api/v1/alerts?state=active',
      (page) => page.alerts.length > 0,
    );
    expect(alerts).toMatchObject([{ ruleId }]);
    const { id } = await prepareRollout(server, modelId, 'site=watched');
    const status = (wanted: string) =>
      server.until<RolloutView>(`/api/v1/rollouts/${id}`, (view) => view.status === wanted);
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, {});
    await status('paused');
    await server.ok('POST', `/api/v1/rollouts/${id}/resume`, {});
    await status('paused');
    const { decisions } = await server.ok<{ decisions: object[] }>(
      'GET',
      `/api/v1/rollouts/${id}/decisions`,
    );
    expect(decisions.at(-1)).toMatchObject({
      ...{ rule: 'order', outcome: 'pause', by: `alert ${alerts[0]!.id}` },
    });
    await server.ok('POST', `/api/v1/alerts/${alerts[0]!.id}/acknowledge`, {});
    await server.ok('POST', `/api/v1/rollouts/${id}/resume`, {});
    await server.ok('DELETE', `/api/v1/alert-rules/${ruleId}`);
    expect(await status('running')).toMatchObject({ id });
    await server.ok('POST', `/api/v1/rollouts/${id}/abort`, { mode: 'keep' });
  });

  it('shows what it would do, leaves out what is in quarantine, and takes late devices in', async () => {
    const [first, second] = await fleet(2, 'late');
    second!.behaviour = () => 'fails';
    const { id, releaseId, planId } = await prepareRollout(server, modelId, 'site=late', {
      stages: [{ percent: 100 }],
      gate: { maxFailedShare: 0.9, minSample: 2 },
      retrySeconds: 0,
      soakSeconds: 20,
      joinLate: true,
    });
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, {});
    const quarantined = await server.until<{ quarantinedAt: string | null }>(
      `/api/v1/devices/${second!.id}`,
      ({ quarantinedAt }) => quarantinedAt !== null,
    );
    expect(quarantined).toMatchObject({ state: 'failed' });
    const [late] = await fleet(1, 'late');
    const joined = await server.until<RolloutView>(`/api/v1/rollouts/${id}`, ({ devices: all }) =>
      all.some(({ deviceId, status }) => deviceId === late!.id && status === 'active'),
    );
    expect(joined.devices.find(({ deviceId }) => deviceId === late!.id)).toMatchObject({
      stage: 0,
    });
    await server.ok('POST', `/api/v1/rollouts/${id}/abort`, { mode: 'keep' });
    expect(await server.ok('GET', `/api/v1/rollouts/${id}/replay`)).toMatchObject({
      identical: true,
    });
    const request = {
      releaseId,
      planId,
      stages: [{ count: 1 }, { percent: 100 }],
      gate: { maxFailedShare: 0, minSample: 1 },
      soakSeconds: 30,
      deviceDeadlineSeconds: 60,
    };
    const preview = () => server.ok<RolloutPreview>('POST', '/api/v1/rollouts/preview', request);
    const shown = await preview();
    expect(shown).toMatchObject({
      devices: 1,
      bytes: first!.artifact!.byteLength,
      deviceSeconds: expect.any(Number),
      misfits: [{ deviceId: second!.id, why: expect.stringContaining('quarantine') }],
    });
    expect(shown.seconds).toBeGreaterThanOrEqual(30);
    expect(shown.expectedAccuracy!.after).toBeLessThanOrEqual(1);
    await server.ok('DELETE', `/api/v1/devices/${second!.id}/quarantine`);
    expect(await preview()).toMatchObject({ devices: 2, misfits: [] });
  });
});
