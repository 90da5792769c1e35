import { jest } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RolloutView } from '../src/rollout/schemas.js';
import { profileOf, ScriptedDevice, type Behaviour } from './scripted-device.js';
import { ServerProcess } from './server-process.js';
import { uploadSmall } from './small-model.js';
import { installSmallest, makeCandidates, prepareRollout } from './walkthrough.js';

jest.setTimeout(300_000);

/** Every transition at which the server is killed below, as from the table of the machine. */
const KILLED_AT = [
  'rollout draft > running',
  'rollout draft > aborted',
  'rollout running > awaiting',
  'rollout awaiting > running',
  'rollout awaiting > held',
  'rollout running > paused',
  'rollout paused > running',
  'rollout paused > halting',
  'rollout paused > aborted',
  'rollout running > held',
  'rollout held > running',
  'rollout running > halting',
  'rollout halting > halted',
  'rollout running > aborted',
  'rollout held > aborting',
  'rollout aborting > aborted',
  'rollout running > completed',
  'device waiting > control',
  'device control > sent',
  'device control > cancelled',
  'device waiting > sent',
  'device waiting > cancelled',
  'device sent > working',
  'device sent > missing',
  'device sent > failed',
  'device sent > reverting',
  'device working > active',
  'device working > backoff',
  'device working > failed',
  'device failed > reverting',
  'device working > quarantined',
  'device backoff > sent',
  'device backoff > cancelled',
  'device missing > sent',
  'device missing > reverting',
  'device active > reverting',
  'device active > unrevertable',
  'device active > quarantined',
  'device working > reverting',
  'device reverting > reverted',
  'device reverting > sent',
  'device reverting > stranded',
];

describe('a server that is killed at every transition of a rollout', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-kills-'));
  const kills = join(folder, 'kills');
  let server: ServerProcess;
  let modelId: string;
  let over = false;
  let keeper: Promise<void>;
  const devices: ScriptedDevice[] = [];

  beforeAll(async () => {
    const killSwitch = new URL('./kill-switch.mjs', import.meta.url).href;
    server = await ServerProcess.start({
      NODE_OPTIONS: `--import ${killSwitch}`,
      ESPALIER_TEST_KILLS: kills,
      ESPALIER_TEST_KILL_BOTH: process.env['ESPALIER_TEST_KILL_BOTH'] ?? '0',
    });
    modelId = (await uploadSmall(server)).id;
    await makeCandidates(server, modelId, { points: 2, precisions: ['fp32'] });
    keeper = keepAlive({ BROKER_PORT: await server.brokerPort() });
  });

  afterAll(async () => {
    over = true;
    for (const device of devices) await device.disconnect();
    await server.dispose();
    await keeper;
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts the server again whenever it was killed. */
  async function keepAlive(again: Record<string, string>): Promise<void> {
    while (!over) {
      await server.exited();
      while (!over) {
        const up = await server.launch(again).then(
          () => true,
          () => false,
        );
        if (up) break;
      }
    }
  }

  const fleet = async (site: string, behaviours: Behaviour[]): Promise<ScriptedDevice[]> => {
    const made: ScriptedDevice[] = [];
    await server.until<object>('/api/v1/devices', () => true);
    for (const [index, behaviour] of behaviours.entries()) {
      const device = await ScriptedDevice.enrol(server, `${site}-${index}`, { site });
      device.behaviour = behaviour;
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
  const withPrevious = async (site: string, behaviours: Behaviour[]): Promise<ScriptedDevice[]> => {
    const made = await fleet(site, Array(behaviours.length).fill(good));
    await installSmallest(
      server,
      modelId,
      `site=${site}`,
      made.map(({ id }) => id),
    );
    made.forEach((device, index) => (device.behaviour = behaviours[index]!));
    return made;
  };
  const begin = async (site: string, spec: object): Promise<string> => {
    const { id } = await prepareRollout(server, modelId, `site=${site}`, spec);
    writeFileSync(`${kills}.armed`, '');
    return id;
  };
  /** The answer may be lost with the server; the order may not: it is given until it is obeyed. */
  const order = async (id: string, what: string, body: object = {}): Promise<void> => {
    for (const deadline = Date.now() + 240_000; Date.now() < deadline;) {
      const answer = await server
        .call('POST', `/api/v1/rollouts/${id}/${what}`, body)
        .catch(() => null);
      if (answer && (answer.status === 200 || answer.status === 409)) return;
      if (answer && answer.status < 500) throw new Error(JSON.stringify(answer.body));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${what} was never obeyed.`);
  };
  const reaches = (id: string, ...statuses: string[]): Promise<RolloutView> =>
    server.until<RolloutView>(`/api/v1/rollouts/${id}`, ({ status }) => statuses.includes(status));
  /** Ends a rollout's part: no more kills, and the log must give the same decisions. */
  const ended = async (id: string, status: string): Promise<RolloutView> => {
    const rollout = await reaches(id, status);
    rmSync(`${kills}.armed`, { force: true });
    const replay = () => server.ok('GET', `/api/v1/rollouts/${id}/replay`);
    expect(await replay()).toMatchObject({ identical: true });
    for (const { deviceId, status: now, variantId } of rollout.devices) {
      const device = devices.find((one) => one.id === deviceId)!;
      // None falsely done: what counts as active is what the device runs.
      if (now === 'active') expect(device.running).toMatchObject({ variantId });
    }
    return rollout;
  };
  /**
   * One order is one generation, whatever was sent again: no order is given twice, the last one has
   * arrived, and none came while the device was at work on another.
   */
  const ordersOf = (rollout: RolloutView, before = 0): void => {
    for (const { deviceId, attempt } of rollout.devices) {
      const device = devices.find((one) => one.id === deviceId)!;
      const generations = device.targets.map(({ generation }) => generation);
      expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
      expect(generations.at(-1)).toBe(before + attempt);
      expect(device.served).toBeLessThanOrEqual(1);
    }
  };

  const good: Behaviour = () => 'good';
  const silent: Behaviour = () => 'silent';
  /** Does `what` with anything but what it ran before. */
  const onNew =
    (what: ReturnType<Behaviour>): Behaviour =>
    ({ generation }) =>
      generation === 1 ? 'good' : what;

  it('goes through approval, a pause and the controls to its end', async () => {
    await fleet('whole', [good, good, good, good]);
    const id = await begin('whole', {
      stages: [{ percent: 50 }, { percent: 100, approval: true }],
      control: { percent: 25 },
    });
    await order(id, 'start');
    await reaches(id, 'awaiting');
    await order(id, 'approve', { why: 'looks well' });
    await server.until<RolloutView>(`/api/v1/rollouts/${id}`, ({ stage }) => stage >= 1);
    const rollout = await ended(id, 'completed');
    expect(rollout.devices.map(({ status }) => status)).toEqual(Array(4).fill('active'));
    ordersOf(rollout);
  });

  it('is paused still, goes on when told to, and ends', async () => {
    await fleet('paused', [good, good]);
    const id = await begin('paused', { soakSeconds: 1 });
    await order(id, 'start');
    await order(id, 'pause', { why: 'lunch' });
    await reaches(id, 'paused');
    await order(id, 'resume');
    ordersOf(await ended(id, 'completed'));
  });

  it('retries within bounds, and puts in quarantine what fails three times', async () => {
    await fleet('retried', [good, () => 'fails', () => 'wrong-hash']);
    const id = await begin('retried', {
      stages: [{ percent: 100 }],
      gate: { maxFailedShare: 0.7, minSample: 3 },
      retrySeconds: 0,
    });
    await order(id, 'start');
    const rollout = await ended(id, 'completed');
    expect(rollout.devices.map(({ status }) => status).sort()).toEqual([
      'active',
      'failed',
      'quarantined',
    ]);
    ordersOf(rollout);
  });

  it('halts, and takes back what was updated', async () => {
    const made = await withPrevious('halted', Array(4).fill(onNew('wrong-hash')));
    const before = made.map(({ running }) => running!.modelSha256);
    const id = await begin('halted', {
      stages: [{ percent: 25 }, { percent: 50 }, { percent: 100 }],
      gate: { maxFailedShare: 0, minSample: 1 },
    });
    const planned = await server.ok<RolloutView>('GET', `/api/v1/rollouts/${id}`);
    const first = planned.devices.find(({ stage }) => stage === 0)!;
    made.find((device) => device.id === first.deviceId)!.behaviour = good;
    const failing = planned.devices.find(({ stage }) => stage === 1)!;
    made.find((device) => device.id === failing.deviceId)!.behaviour = ({ generation }) =>
      generation === 2 ? 'wrong-hash' : 'good';
    await order(id, 'start');
    const rollout = await ended(id, 'halted');
    expect(rollout.devices.map(({ status }) => status).sort()).toEqual([
      'cancelled',
      'cancelled',
      'reverted',
      'reverted',
    ]);
    expect(made.map(({ running }) => running!.modelSha256)).toEqual(before);
    ordersOf(rollout, 1);
  });

  it('stops a variant, and gives its devices the other one of the release', async () => {
    const made = await withPrevious('replanned', [good, good, good]);
    const [small, first, second] = made as [ScriptedDevice, ScriptedDevice, ScriptedDevice];
    const transferBytes = small.artifact!.byteLength;
    await server.ok('PATCH', `/api/v1/devices/${small.id}`, { budget: { transferBytes } });
    for (const device of [first, second]) {
      const { modelSha256 } = device.running!;
      device.behaviour = (target) => (target.modelSha256 === modelSha256 ? 'good' : 'wrong-hash');
    }
    const id = await begin('replanned', {
      stages: [{ percent: 100 }],
      gate: { maxFailedShare: 0.6, minSample: 2, scope: 'variant' },
    });
    await order(id, 'start');
    const rollout = await ended(id, 'completed');
    expect(rollout.haltedVariants).toHaveLength(1);
    expect(rollout.devices.map(({ status }) => status)).toEqual(Array(3).fill('active'));
    expect(new Set(rollout.devices.map(({ variantId }) => variantId)).size).toBe(1);
    ordersOf(rollout, 1);
  });

  it('holds for silence, and tries again when told to go on', async () => {
    const [, quiet] = await fleet('held', [good, silent]);
    const id = await begin('held', {
      stages: [{ percent: 100 }],
      gate: { maxFailedShare: 0, minSample: 2 },
      deviceDeadlineSeconds: 4,
      maxAttempts: 10,
    });
    await order(id, 'start');
    await reaches(id, 'held');
    quiet!.behaviour = good;
    // While the server is down, a device may miss its deadline once more.
    while ((await reaches(id, 'held', 'completed')).status === 'held') await order(id, 'resume');
    const rollout = await ended(id, 'completed');
    expect(rollout.devices.map(({ status }) => status)).toEqual(['active', 'active']);
    ordersOf(rollout);
  });

  it('is aborted while it holds, and gives up a device that never answers', async () => {
    const made = await withPrevious('given-up', [good, onNew('silent')]);
    const id = await begin('given-up', {
      stages: [{ percent: 100 }],
      gate: { maxFailedShare: 0, minSample: 2 },
      deviceDeadlineSeconds: 6,
    });
    await order(id, 'start');
    await reaches(id, 'held');
    await order(id, 'abort', { mode: 'revert' });
    await ended(id, 'aborted');
    const statusOf = (view: RolloutView, { id: of }: ScriptedDevice) =>
      view.devices.find(({ deviceId }) => deviceId === of)!.status;
    // One that answers only after its deadline, as while the server is down, has gone back too.
    const view = await server.until<RolloutView>(
      `/api/v1/rollouts/${id}`,
      (now) => statusOf(now, made[0]!) === 'reverted',
    );
    expect(statusOf(view, made[1]!)).toBe('stranded');
  });

  it('holds when an approval does not come', async () => {
    await fleet('unapproved', [good, good]);
    const id = await begin('unapproved', {
      stages: [{ percent: 50 }, { percent: 100, approval: true }],
      approvalSeconds: 1,
    });
    await order(id, 'start');
    await reaches(id, 'held');
    await order(id, 'abort');
    const rollout = await ended(id, 'aborted');
    expect(rollout.devices.map(({ status }) => status)).toEqual(['active', 'cancelled']);
    ordersOf({ ...rollout, devices: rollout.devices.slice(0, 1) });
  });

  it('is aborted before its start, and while it runs', async () => {
    await fleet('aborted', [good, good]);
    const first = await begin('aborted', {});
    await order(first, 'abort');
    const cancelled = await ended(first, 'aborted');
    expect(cancelled.devices.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    const second = await begin('aborted', { soakSeconds: 60 });
    await order(second, 'start');
    await server.until<RolloutView>(`/api/v1/rollouts/${second}`, (view) =>
      view.devices.some(({ status }) => status === 'active'),
    );
    await order(second, 'abort', { mode: 'revert' });
    const rollout = await ended(second, 'aborted');
    expect(rollout.devices.map(({ status }) => status).sort()).toEqual([
      'cancelled',
      'unrevertable',
    ]);
  });

  it('is aborted while devices are refused, wait for another try, and are held back', async () => {
    const made = await fleet('ended', [good, good, good, good]);
    const id = await begin('ended', {
      stages: [{ percent: 100 }],
      control: { percent: 25 },
      gate: { maxFailedShare: 0.9, minSample: 3 },
      retrySeconds: 600,
    });
    const planned = await server.ok<RolloutView>('GET', `/api/v1/rollouts/${id}`);
    const updated = planned.devices.filter(({ stage }) => stage === 0);
    const device = (at: number) => made.find((one) => one.id === updated[at]!.deviceId)!;
    device(0).behaviour = () => 'refuses';
    device(1).behaviour = () => 'fails';
    await order(id, 'start');
    const statusesOf = ({ devices: rows }: RolloutView) => rows.map(({ status }) => status).sort();
    await server.until<RolloutView>(`/api/v1/rollouts/${id}`, (view) => {
      return String(statusesOf(view)) === 'active,backoff,control,failed';
    });
    await order(id, 'abort');
    const rollout = await ended(id, 'aborted');
    expect(statusesOf(rollout)).toEqual(['active', 'cancelled', 'cancelled', 'failed']);
  });

  it('puts a device in quarantine that was active and fails once more, and is aborted while it is paused', async () => {
    const [flaky] = await fleet('relapsed', [
      ({ generation }) => (generation < 3 ? 'fails' : 'good'),
      good,
    ]);
    const id = await begin('relapsed', {
      stages: [{ percent: 100 }],
      gate: { maxFailedShare: 0.9, minSample: 2 },
      retrySeconds: 0,
      soakSeconds: 3_600,
    });
    await order(id, 'start');
    await server.until<RolloutView>(`/api/v1/rollouts/${id}`, (view) =>
      view.devices.every(({ status }) => status === 'active'),
    );
    await flaky!.report(flaky!.targets.at(-1)!, 'failed', null);
    await server.until<RolloutView>(`/api/v1/rollouts/${id}`, (view) =>
      view.devices.some(({ status }) => status === 'quarantined'),
    );
    await order(id, 'pause');
    await order(id, 'abort');
    ordersOf(await ended(id, 'aborted'));
  });

  it('halts although it is paused, and takes back what was updated', async () => {
    const made = await withPrevious('paused-halt', [good, good]);
    const before = made.map(({ running }) => running!.modelSha256);
    const id = await begin('paused-halt', { gate: { maxFailedShare: 0, minSample: 1 } });
    const planned = await server.ok<RolloutView>('GET', `/api/v1/rollouts/${id}`);
    const second = planned.devices.find(({ stage }) => stage === 1)!;
    const refusing = made.find((device) => device.id === second.deviceId)!;
    refusing.behaviour = ({ generation }) => (generation === 2 ? 'refuses' : 'good');
    refusing.onTarget = async ({ generation }) => {
      if (generation === 2) await order(id, 'pause');
    };
    await order(id, 'start');
    const rollout = await ended(id, 'halted');
    expect(rollout.devices.map(({ status }) => status)).toEqual(['reverted', 'reverted']);
    expect(made.map(({ running }) => running!.modelSha256)).toEqual(before);
    ordersOf(rollout, 1);
  });

  it('was killed at each of the transitions listed here', () => {
    const lines = existsSync(kills) ? readFileSync(kills, 'utf8').trim().split('\n') : [];
    process.stderr.write(`The server was killed at:\n${lines.join('\n')}\n`);
    const at = new Set(lines.map((line) => line.replace(/^(within|after) /, '')));
    expect(KILLED_AT.filter((transition) => !at.has(transition))).toEqual([]);
  });
});
