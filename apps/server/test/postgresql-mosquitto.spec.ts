import { jest } from '@jest/globals';
import { decodeMessage, downTopic, DOWN_SCHEMAS } from '@espalier/protocol';
import { connectAsync, type MqttClient } from 'mqtt';
import type { RolloutView } from '../src/rollout/schemas.js';
import { AgentProcess } from './agent-process.js';
import { hasMosquitto, MosquittoProcess } from './mosquitto-process.js';
import { PostgresCluster, postgresPrograms } from './postgres-cluster.js';
import { profileOf, ScriptedDevice } from './scripted-device.js';
import { ServerProcess } from './server-process.js';
import { uploadSmall } from './small-model.js';
import { installSmallest, makeCandidates, prepareRollout } from './walkthrough.js';

jest.setTimeout(300_000);

const LEASE_SECONDS = 5;

const installed = hasMosquitto && postgresPrograms() !== null;
if (!installed) {
  process.stderr.write('Mosquitto or PostgreSQL is not installed: their tests are skipped.\n');
}

// The tests are steps of one walk: what one step makes, the next ones use.
(installed ? describe : describe.skip)('on PostgreSQL, over Mosquitto', () => {
  let cluster: PostgresCluster;
  let broker: MosquittoProcess;
  let environment: Record<string, string>;
  let leader: ServerProcess;
  let replica: Promise<ServerProcess>;
  let agent: AgentProcess;
  let observer: MqttClient;
  const scripted: ScriptedDevice[] = [];
  /** What the servers told the agent to run. */
  const targets: Buffer[] = [];
  let agentId: string;
  let modelId: string;

  beforeAll(async () => {
    [cluster, broker] = await Promise.all([PostgresCluster.start(), MosquittoProcess.reserve()]);
    environment = {
      DATABASE_URL: await cluster.database(),
      ...broker.environment,
      LEASE_SECONDS: String(LEASE_SECONDS),
    };
    leader = await ServerProcess.start(environment);
    await broker.start(leader.dataDir);
    // Servers of one database share the folder of their keys and models.
    environment['DATA_DIR'] = leader.dataDir;
    replica = ServerProcess.start(environment);
    replica.catch(() => undefined);
    observer = await connectAsync(broker.url, await broker.observer());
    agent = await AgentProcess.start(leader, 'gateway', [], { site: 'mixed' });
  });

  afterAll(async () => {
    await observer?.endAsync(true);
    await agent?.stop();
    for (const device of scripted) await device.disconnect();
    await (await replica).dispose();
    await leader?.end('SIGKILL');
    await broker?.stop();
    await cluster?.stop();
  });

  it('takes a real agent from claim token to an active variant', async () => {
    const { devices } = await leader.until<{ devices: { id: string; state: string }[] }>(
      '/api/v1/devices',
      (page) => page.devices[0]?.state === 'ready',
    );
    agentId = devices[0]!.id;
    observer.on('message', (_, payload) => targets.push(payload));
    await observer.subscribeAsync(downTopic(agentId, 'target'), { qos: 1 });
    ({ id: modelId } = await uploadSmall(leader));
    await makeCandidates(leader, modelId, { points: 2, precisions: ['fp32'] });
    await installSmallest(leader, modelId, 'site=mixed', [agentId]);
    const { rollouts } = await leader.ok<{ rollouts: { id: string }[] }>('GET', '/api/v1/rollouts');
    const rollout = await leader.ok<RolloutView>('GET', `/api/v1/rollouts/${rollouts[0]!.id}`);
    expect(rollout.devices.map(({ deviceId, status }) => [deviceId, status])).toEqual([
      [agentId, 'active'],
    ]);
    expect(rollout.devices[0]!.sentBytes).toBeGreaterThan(0);
    expect(await leader.ok('GET', `/api/v1/rollouts/${rollout.id}/replay`)).toMatchObject({
      identical: true,
    });
  });

  it('goes on under the next server when the leader is stopped beyond its lease, once each', async () => {
    for (const name of ['scripted-1', 'scripted-2', 'scripted-3']) {
      const device = await ScriptedDevice.enrol(leader, name, { site: 'mixed' });
      scripted.push(device);
      await device.connect(profileOf());
      await leader.until<{ state: string }>(
        `/api/v1/devices/${device.id}`,
        ({ state }) => state === 'ready',
      );
    }
    const { id } = await prepareRollout(leader, modelId, 'site=mixed', { soakSeconds: 2 });
    await leader.ok('POST', `/api/v1/rollouts/${id}/start`, {});
    await leader.until<RolloutView>(`/api/v1/rollouts/${id}`, (view) =>
      view.devices.filter(({ stage }) => stage === 0).every(({ status }) => status === 'active'),
    );
    process.kill(leader.pid!, 'SIGSTOP');
    const next = await replica;
    const rollout = await next.until<RolloutView>(
      `/api/v1/rollouts/${id}`,
      ({ status }) => status === 'completed',
    );
    expect(rollout.devices.map(({ status, attempt }) => [status, attempt])).toEqual(
      Array(4).fill(['active', 1]),
    );

    const ended = leader.exited();
    process.kill(leader.pid!, 'SIGCONT');
    expect(await ended).toBe(3);
    expect(leader.log).toContain('LEASE_LOST');
    for (const device of scripted) {
      expect(device.targets.map(({ generation }) => generation)).toEqual([1]);
    }
    expect(await next.ok('GET', `/api/v1/rollouts/${id}/replay`)).toMatchObject({
      identical: true,
    });
  });

  it('leaves an agent that refuses what the former server still says', async () => {
    const next = await replica;
    await installSmallest(next, modelId, 'site=mixed', [agentId, ...scripted.map(({ id }) => id)]);
    const heard = targets.map((payload) => decodeMessage(payload, DOWN_SCHEMAS.target));
    const epochs = heard.map(({ epoch }) => epoch);
    expect(Math.max(...epochs)).toBeGreaterThan(Math.min(...epochs));
    // As if it had been under way all the time.
    const stale = targets[epochs.indexOf(Math.min(...epochs))]!;
    await observer.publishAsync(downTopic(agentId, 'target'), stale, { qos: 1 });
    await agent.says('message of a former server dropped');
  });
});
