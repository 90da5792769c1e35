import { jest } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RolloutView } from '../src/rollout/schemas.js';
import { ServerProcess } from './server-process.js';
import { uploadSmall } from './small-model.js';
import { makeCandidates, prepareRollout } from './walkthrough.js';

jest.setTimeout(300_000);

const SIMULATOR = fileURLToPath(new URL('../../simulator/dist/main.js', import.meta.url));
const DEVICES = 16;
const FAULTS = ['cut=1', 'restart=1', 'corrupt=2', 'skew=1', 'slow=1'];

describe('delivery to a simulated fleet with faults', () => {
  let server: ServerProcess;
  let simulator: ChildProcess;
  let modelId: string;

  beforeAll(async () => {
    server = await ServerProcess.start({ LOG_LEVEL: 'info' });
    modelId = (await uploadSmall(server)).id;
    await makeCandidates(server, modelId, { points: 2, precisions: ['fp32'] });
    const faults = FAULTS.flatMap((fault) => ['--fault', fault]);
    const options = ['--server', server.url, '--devices', String(DEVICES), '--away-ms', '300'];
    simulator = spawn(process.execPath, [SIMULATOR, ...options, ...faults], {
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], ESPALIER_TOKEN: server.token },
    });
    await ready();
  });

  afterAll(async () => {
    const gone = once(simulator, 'exit');
    simulator.kill('SIGTERM');
    await gone;
    await server.dispose();
  });

  const ready = () =>
    server.until<{ devices: object[] }>(
      '/api/v1/devices?state=ready&limit=100',
      ({ devices }) => devices.length === DEVICES,
    );
  const rolledOut = async (): Promise<RolloutView> => {
    const { id } = await prepareRollout(server, modelId, 'simulated=true');
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, { why: 'a test' });
    return server.until<RolloutView>(
      `/api/v1/rollouts/${id}`,
      ({ status }) => status !== 'running',
    );
  };

  it('reaches every device whatever befalls it, and sends none much more than it lacks', async () => {
    const { status, devices } = await rolledOut();
    expect(status).toBe('completed');
    expect(devices.map((device) => device.status)).toEqual(Array(DEVICES).fill('active'));
    const { candidates } = await server.ok<{ candidates: { artifact: { bytes: number } }[] }>(
      'GET',
      `/api/v1/models/${modelId}/candidates`,
    );
    const largest = Math.max(...candidates.map(({ artifact }) => artifact.bytes));
    for (const { sentBytes } of devices) expect(sentBytes).toBeLessThanOrEqual(3 * largest);
  });

  it('has every device back after the broker was killed, and goes on', async () => {
    const started = server.log
      .split('\n')
      .filter((line) => line.includes('broker started'))
      .map((line) => (JSON.parse(line) as { pid: number }).pid);
    expect(started).toHaveLength(1);
    process.kill(started.at(-1)!, 'SIGKILL');
    await makeCandidates(server, modelId, { points: 1, precisions: ['fp32'], seed: 2 });
    const { status } = await rolledOut();
    expect(status).toBe('completed');
  });
});
