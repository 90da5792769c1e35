import { jest } from '@jest/globals';
import type { RolloutView } from '../src/rollout/schemas.js';
import { AgentProcess } from './agent-process.js';
import { FieldLabels } from './field-labels.js';
import { ServerProcess } from './server-process.js';
import { uploadSmall } from './small-model.js';
import { installSmallest, makeCandidates, prepareRollout } from './walkthrough.js';

jest.setTimeout(400_000);

const KINDS = ['large', 'middle'] as const;
const EACH = 3;
/** With one device an arm the baselines bound what can be shown: these put five points at over six standard errors. */
const BASELINE_LABELS = 4_000;
/** The labels that are fed are stationary, so a device shifts by nothing of its own. */
const DEVICE_SHIFT = 0.002;

interface Device {
  readonly id: string;
  readonly kind: (typeof KINDS)[number];
  readonly agent: AgentProcess;
  readonly labels: FieldLabels;
}
interface DeviceRow {
  id: string;
  state: string;
  running: { modelSha256: string; variantId: string } | null;
}

describe('a variant that loses ten points in the field, with real agents', () => {
  let server: ServerProcess;
  let modelId: string;
  let flipped: string | null = null;
  let watching: NodeJS.Timeout;
  const running = new Map<string, string | null>();
  const fleet: Device[] = [];

  beforeAll(async () => {
    server = await ServerProcess.start();
    modelId = (await uploadSmall(server)).id;
    await makeCandidates(server, modelId, { points: 3, precisions: ['fp32'] });
    const started = Array.from({ length: KINDS.length * EACH }, async (_, index) => {
      const kind = KINDS[index % KINDS.length]!;
      const name = `${kind}-${index}`;
      const labels = await FieldLabels.on(
        index + 1,
        () => running.get(name) ?? null,
        () => flipped,
      );
      const agent = await AgentProcess.start(
        server,
        name,
        ['--telemetry-interval-ms', '500', '--feedback-port', String(labels.port)],
        { kind },
      );
      return { name, kind, agent, labels };
    });
    const agents = await Promise.all(started);
    const { devices } = await server.until<{ devices: (DeviceRow & { name: string })[] }>(
      '/api/v1/devices',
      (page) => page.devices.length === agents.length,
    );
    for (const { name, ...rest } of agents) {
      fleet.push({ id: devices.find((one) => one.name === name)!.id, ...rest });
    }
    await server.until<{ devices: DeviceRow[] }>('/api/v1/devices', (page) =>
      page.devices.every(({ state }) => state === 'ready'),
    );
    watching = setInterval(() => {
      void server
        .ok<{ devices: (DeviceRow & { name: string })[] }>('GET', '/api/v1/devices')
        .then(({ devices }) => {
          for (const one of devices) running.set(one.name, one.running?.modelSha256 ?? null);
        })
        .catch(() => undefined);
    }, 200);
  });

  afterAll(async () => {
    clearInterval(watching);
    for (const { labels } of fleet) labels.stop();
    await Promise.all(fleet.map(({ agent }) => agent.stop()));
    await server.dispose();
  });

  it('is stopped in its first stage and taken back; the other variant finishes', async () => {
    await installSmallest(
      server,
      modelId,
      '',
      fleet.map(({ id }) => id),
    );
    const { candidates } = await server.ok<{
      candidates: { id: string; model: { sha256: string }; artifact: { bytes: number } }[];
    }>('GET', `/api/v1/models/${modelId}/candidates`);
    const bySize = [...candidates].sort((a, b) => a.artifact.bytes - b.artifact.bytes);
    const [smallest, middle, large] = bySize as [
      (typeof bySize)[0],
      (typeof bySize)[0],
      (typeof bySize)[0],
    ];
    for (const { id, kind } of fleet) {
      if (kind !== 'middle') continue;
      const budget = { transferBytes: middle.artifact.bytes };
      await server.ok('PATCH', `/api/v1/devices/${id}`, { budget });
    }
    for (const { labels } of fleet) labels.start();
    for (const { id } of fleet) {
      await server.until<{ windows: { accuracy: { labelled: number } | null }[] }>(
        `/api/v1/devices/${id}/telemetry`,
        ({ windows }) =>
          windows.reduce((sum, { accuracy }) => sum + (accuracy?.labelled ?? 0), 0) >=
          BASELINE_LABELS,
      );
    }
    flipped = large.model.sha256;

    const { id } = await prepareRollout(server, modelId, '', {
      stages: [{ percent: 33 }, { percent: 100 }],
      control: { percent: 30 },
      gate: {
        maxFailedShare: 0,
        minSample: 1,
        scope: 'variant',
        accuracy: { minLabels: 200, deviceShift: DEVICE_SHIFT },
        waitSeconds: 240,
      },
      replan: false,
    });
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, {});
    const rollout = await server.until<RolloutView>(
      `/api/v1/rollouts/${id}`,
      ({ status }) => status !== 'running',
      270,
    );

    expect(rollout.status).toBe('completed');
    expect(rollout.haltedVariants).toEqual([large.id]);
    const kindOf = (deviceId: string) => fleet.find((one) => one.id === deviceId)!.kind;
    const statuses = (kind: string) =>
      rollout.devices
        .filter(({ deviceId }) => kindOf(deviceId) === kind)
        .map(({ status }) => status)
        .sort();
    expect(statuses('large')).toEqual(['cancelled', 'cancelled', 'reverted']);
    expect(statuses('middle')).toEqual(['active', 'active', 'active']);
    const { decisions } = await server.ok<{ decisions: Record<string, unknown>[] }>(
      'GET',
      `/api/v1/rollouts/${id}/decisions`,
    );
    expect(decisions).toContainEqual(
      expect.objectContaining({
        rule: 'accuracy',
        outcome: 'halt',
        stage: 0,
        variantId: large.id,
        numbers: expect.objectContaining({ compared: 'with-control' }),
      }),
    );
    const { devices } = await server.ok<{ devices: DeviceRow[] }>('GET', '/api/v1/devices');
    for (const device of devices) {
      const wanted = kindOf(device.id) === 'large' ? smallest : middle;
      expect(device.running).toMatchObject({ modelSha256: wanted.model.sha256 });
    }
    expect(await server.ok('GET', `/api/v1/rollouts/${id}/replay`)).toMatchObject({
      identical: true,
    });
  });
});
