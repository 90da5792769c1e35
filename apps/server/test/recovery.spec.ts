import { jest } from '@jest/globals';
import type { RolloutView } from '../src/rollout/schemas.js';
import { profileOf, ScriptedDevice } from './scripted-device.js';
import { ServerProcess } from './server-process.js';
import { uploadSmall } from './small-model.js';
import { installSmallest, makeCandidates, prepareRollout } from './walkthrough.js';

jest.setTimeout(300_000);

const ENDED = ['completed', 'halted', 'aborted', 'held'];

describe('a server that is killed in the middle of a rollout', () => {
  let server: ServerProcess;
  let modelId: string;
  let again: Record<string, string>;
  let dying: Promise<void> | null = null;
  const devices: ScriptedDevice[] = [];

  beforeAll(async () => {
    server = await ServerProcess.start();
    again = { BROKER_PORT: await server.brokerPort() };
    modelId = (await uploadSmall(server)).id;
    await makeCandidates(server, modelId, { points: 2, precisions: ['fp32'] });
  });

  afterAll(async () => {
    for (const device of devices) await device.disconnect();
    await server.dispose();
  });

  afterEach(async () => {
    await dying;
  });

  const fleet = async (site: string): Promise<ScriptedDevice[]> => {
    const made: ScriptedDevice[] = [];
    for (const index of [0, 1]) {
      const device = await ScriptedDevice.enrol(server, `${site}-${index}`, { site });
      devices.push(device);
      made.push(device);
      await device.connect(profileOf());
      await server.until<{ state: string }>(
        `/api/v1/devices/${device.id}`,
        ({ state }) => state === 'ready',
      );
    }
    return made;
  };

  const killOnce = (): Promise<void> => {
    dying ??= (async () => {
      await server.end('SIGKILL');
      await server.launch(again);
    })();
    return dying;
  };
  const begin = async (site: string, spec: object = {}): Promise<string> => {
    dying = null;
    const { id } = await prepareRollout(server, modelId, `site=${site}`, spec);
    return id;
  };
  /** The answer may be lost with the server; the order may not. */
  const start = (id: string): Promise<unknown> =>
    server.call('POST', `/api/v1/rollouts/${id}/start`, {}).catch(() => undefined);
  const ended = (id: string): Promise<RolloutView> =>
    server.until<RolloutView>(`/api/v1/rollouts/${id}`, ({ status }) => ENDED.includes(status));

  it('as a device gets its target: the rollout goes on, and the device is served once', async () => {
    const made = await fleet('on-target');
    const id = await begin('on-target');
    for (const device of made) device.onTarget = killOnce;
    await start(id);
    const rollout = await ended(id);
    expect(rollout.status).toBe('completed');
    expect(dying).not.toBeNull();
    for (const device of made) {
      expect(device.targets.map(({ generation }) => generation)).toEqual([1]);
      expect(new Set(device.epochs).size).toBeGreaterThan(1);
    }
    expect(rollout.devices.map(({ attempt }) => attempt)).toEqual([1, 1]);
  });

  it('before it hears of a success: the report comes again, and counts once', async () => {
    const made = await fleet('on-report');
    const id = await begin('on-report');
    for (const device of made) {
      device.behaviour = () => {
        if (!dying) void killOnce();
        return 'good';
      };
    }
    await start(id);
    const rollout = await ended(id);
    expect(rollout.status).toBe('completed');
    expect(rollout.devices.map(({ status }) => status)).toEqual(['active', 'active']);
    expect(made.map(({ targets }) => targets.length)).toEqual([1, 1]);
  });

  it('while devices are taken back: it goes on taking them back', async () => {
    const made = await fleet('on-revert');
    await installSmallest(
      server,
      modelId,
      'site=on-revert',
      made.map(({ id }) => id),
    );
    const before = made.map(({ running }) => running!.modelSha256);
    const id = await begin('on-revert', {
      stages: [{ percent: 100 }],
      gate: { maxFailedShare: 0, minSample: 2 },
      maxAttempts: 1,
    });
    for (const [index, device] of made.entries()) {
      device.behaviour = ({ generation }) => (index === 1 && generation === 2 ? 'fails' : 'good');
      device.onTarget = ({ generation }) => (generation === 3 ? killOnce() : Promise.resolve());
    }
    await start(id);
    const rollout = await ended(id);
    expect(dying).not.toBeNull();
    expect(rollout.status).toBe('halted');
    expect(rollout.devices.map(({ status }) => status)).toEqual(['reverted', 'reverted']);
    expect(made.map(({ running }) => running!.modelSha256)).toEqual(before);
    expect(made.map(({ targets }) => targets.map(({ generation }) => generation))).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it('while it is paused: it is paused still', async () => {
    await fleet('on-pause');
    const id = await begin('on-pause', { soakSeconds: 60 });
    await start(id);
    await server.ok('POST', `/api/v1/rollouts/${id}/pause`, { by: 'ada', why: 'lunch' });
    await killOnce();
    expect((await server.ok<RolloutView>('GET', `/api/v1/rollouts/${id}`)).status).toBe('paused');
    await server.ok('POST', `/api/v1/rollouts/${id}/abort`, { mode: 'keep' });
    expect((await ended(id)).status).toBe('aborted');
  });

  it('leaves a log from which the same decisions follow', async () => {
    const { rollouts } = await server.ok<{ rollouts: { id: string }[] }>('GET', '/api/v1/rollouts');
    expect(rollouts.length).toBeGreaterThan(3);
    for (const { id } of rollouts) {
      const replay = await server.ok<object>('GET', `/api/v1/rollouts/${id}/replay`);
      expect(replay).toMatchObject({ identical: true });
    }
  });
});
