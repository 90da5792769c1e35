import { jest } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RolloutView } from '../src/rollout/schemas.js';
import { ServerProcess } from './server-process.js';
import { uploadSmall } from './small-model.js';
import { makeCandidates, prepareRollout } from './walkthrough.js';

jest.setTimeout(300_000);

const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(existsSync);
const AGENT = fileURLToPath(new URL('../../agent/dist/main.js', import.meta.url));

/** Every device reads and writes its own subtree; the server everything. */
const ACCESS = `
user espalier-server
topic readwrite espalier/#
pattern readwrite espalier/v1/devices/%c/#
pattern read espalier/v1/content/#
`;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

async function answers(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('Mosquitto does not listen.');
}

const described = MOSQUITTO ? describe : describe.skip;
if (!MOSQUITTO) process.stderr.write('Mosquitto is not installed: its smoke test is skipped.\n');

described('the whole flow over Mosquitto', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-mosquitto-'));
  const processes: ChildProcess[] = [];
  let server: ServerProcess;

  beforeAll(async () => {
    const port = await freePort();
    writeFileSync(join(folder, 'access'), ACCESS, { mode: 0o644 });
    writeFileSync(
      join(folder, 'mosquitto.conf'),
      [
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        `acl_file ${join(folder, 'access')}`,
        'persistence false',
        ...(process.getuid?.() === 0 ? ['user root'] : []),
      ].join('\n'),
    );
    processes.push(
      spawn(String(MOSQUITTO), ['-c', join(folder, 'mosquitto.conf')], { stdio: 'ignore' }),
    );
    await answers(port);
    server = await ServerProcess.start({ BROKER_URL: `mqtt://127.0.0.1:${port}` });
  });

  afterAll(async () => {
    for (const child of processes.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await server.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  it('takes a real agent from claim token to an active variant', async () => {
    const { token } = await server.ok<{ token: string }>('POST', '/api/v1/claim-tokens', {});
    const flags = [
      '--server',
      server.url,
      '--token',
      token,
      '--name',
      'gateway',
      '--quick-profile',
    ];
    processes.push(
      spawn(process.execPath, [AGENT, ...flags, '--state-dir', join(folder, 'agent')], {
        stdio: 'ignore',
      }),
    );
    const { devices } = await server.until<{ devices: { id: string; state: string }[] }>(
      '/api/v1/devices',
      (page) => page.devices[0]?.state === 'ready',
      90,
    );
    const { id: modelId } = await uploadSmall(server);
    await makeCandidates(server, modelId, { points: 2, precisions: ['fp32'] });
    const { id } = await prepareRollout(server, modelId, '', { stages: [{ percent: 100 }] });
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, { by: 'ada', why: 'a smoke test' });
    const rollout = await server.until<RolloutView>(
      `/api/v1/rollouts/${id}`,
      ({ status }) => status !== 'running',
      90,
    );
    expect(rollout.status).toBe('completed');
    expect(rollout.devices.map(({ deviceId, status }) => [deviceId, status])).toEqual([
      [devices[0]!.id, 'active'],
    ]);
    expect(rollout.devices[0]!.sentBytes).toBeGreaterThan(0);
  });
});
