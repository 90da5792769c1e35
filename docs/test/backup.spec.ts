import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { jest } from '@jest/globals';
import { AgentProcess } from '../../apps/server/test/agent-process.js';
import { freePort } from '../../apps/server/test/postgres-cluster.js';
import { ServerProcess } from '../../apps/server/test/server-process.js';
import { smallFiles, uploadSmall } from '../../apps/server/test/small-model.js';
import { makeCandidates, prepareRollout } from '../../apps/server/test/walkthrough.js';

jest.setTimeout(420_000);

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/how-to/backup.md'), 'utf8');
/** What stands in the blocks for SQLite: to back up, and to restore. */
const [backUp = '', restore = ''] = [...PAGE.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(
  ([, block]) => block ?? '',
);

describe('the how-to on backup', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-backup-'));
  let server: ServerProcess;
  let agent: AgentProcess;

  beforeAll(async () => {
    const [port, brokerPort] = [await freePort(), await freePort()];
    server = await ServerProcess.start({ PORT: String(port), BROKER_PORT: String(brokerPort) });
    const input = join(folder, 'samples.npz');
    writeFileSync(input, smallFiles().evaluation);
    agent = await AgentProcess.start(
      server,
      'press-1',
      ['--input', input, '--inference-interval-ms', '50', '--telemetry-interval-ms', '1000'],
      { site: 'lyon' },
    );
  });
  afterAll(async () => {
    await agent.stop();
    await server.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs commands of the page, in the folders of this test. */
  const run = async (commands: string): Promise<void> => {
    const own = commands.replaceAll('/backup', folder).replaceAll('.espalier', server.dataDir);
    await execute('bash', ['-eu', '-o', 'pipefail', '-c', own], {
      env: { PATH: `${join(ROOT, 'apps/cli/bin')}:${process.env['PATH'] ?? ''}`, HOME: folder },
    });
  };
  const rollOut = async (modelId: string): Promise<void> => {
    const { assignments } = await server.ok<{ assignments: { candidateId: string | null }[] }>(
      'POST',
      '/api/v1/plans/preview',
      { modelId, selector: '' },
    );
    expect(assignments).toMatchObject([{ candidateId: expect.any(String) as string }]);
    const { id } = await prepareRollout(server, modelId, '', { stages: [{ percent: 100 }] });
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, { why: 'a test' });
    const { status } = await server.until<{ status: string }>(
      `/api/v1/rollouts/${id}`,
      (rollout) => !['draft', 'running'].includes(rollout.status),
    );
    expect(status).toBe('completed');
  };
  const budget = (n: number): Promise<unknown> =>
    server.ok('PUT', '/api/v1/budgets', {
      selector: `line=${n}`,
      budget: { transferBytes: 1e6 + n },
    });

  it('loses nothing that was acknowledged before, and the fleet goes on', async () => {
    await server.until<{ devices: { state: string }[] }>('/api/v1/devices', ({ devices }) =>
      devices.some(({ state }) => state === 'ready'),
    );
    const { id: modelId } = await uploadSmall(server);
    await makeCandidates(server, modelId, { points: 2, precisions: ['fp32'] });
    await rollOut(modelId);

    // It writes while it is backed up.
    let written = 0;
    let writing = true;
    const writer = (async () => {
      while (writing) await budget(written++);
    })();
    while (written < 20) await new Promise((resolve) => setImmediate(resolve));
    const before = written - 1;
    const known = await facts(server, modelId);
    await run(backUp);
    writing = false;
    await writer;

    // What the device hears of after the backup is newer than what the backup knows.
    await rollOut(modelId);
    await server.end('SIGKILL');
    rmSync(server.dataDir, { recursive: true, force: true });
    await run(restore);
    await server.launch();

    expect(await facts(server, modelId)).toEqual(known);
    const { budgets } = await server.ok<{ budgets: { selector: string }[] }>(
      'GET',
      '/api/v1/budgets',
    );
    const kept = new Set(budgets.map(({ selector }) => selector));
    for (let n = 0; n < before; n += 1) expect([n, kept.has(`line=${n}`)]).toEqual([n, true]);
    expect(await server.ok('GET', '/api/v1/audit/verify')).toMatchObject({ fault: null });
    await rollOut(modelId);
    // Telemetry is summed as before.
    const summed = ({ series }: Summed): number => series[0]?.total.windows ?? 0;
    const path = '/api/v1/telemetry/series';
    const then = summed(await server.ok<Summed>('GET', path));
    await server.until<Summed>(path, (now) => summed(now) > then);
  });
});

interface Summed {
  readonly series: readonly { readonly total: { readonly windows: number } }[];
}

/** What a server knows, as far as nothing of it changes by itself. */
async function facts(server: ServerProcess, modelId: string): Promise<object> {
  const { devices } = await server.ok<{ devices: { id: string; labels: object }[] }>(
    'GET',
    '/api/v1/devices',
  );
  const { candidates } = await server.ok<{ candidates: object[] }>(
    'GET',
    `/api/v1/models/${modelId}/candidates`,
  );
  const { rollouts } = await server.ok<{ rollouts: object[] }>('GET', '/api/v1/rollouts');
  return { devices: devices.map(({ id, labels }) => ({ id, labels })), candidates, rollouts };
}
