import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import { makePackage } from '../packaging/make.js';
import { input, model } from './models.js';
import { StubServer } from './stub-server.js';

jest.setTimeout(300_000);

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MOST_BYTES = 70 * 2 ** 20;

describe('the package of the agent', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-package-'));
  const server = new StubServer();

  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('runs a model where it is unpacked, without the repository, and takes under 70 MiB', async () => {
    const made = makePackage(ROOT, join(folder, 'made'), {
      platform: process.platform,
      arch: process.arch,
    });
    expect(made.bytes).toBeLessThan(MOST_BYTES);
    execFileSync('tar', ['-xzf', made.archive, '-C', folder]);
    rmSync(join(folder, 'made'), { recursive: true });

    await server.start();
    const agent = spawn(
      join(folder, basename(made.folder), 'bin/espalier-agent'),
      [
        ...['--server', server.url, '--token', server.token(), '--name', 'packaged'],
        ...['--state-dir', join(folder, 'state'), '--input', input, '--quick-profile'],
      ],
      { cwd: folder, env: { PATH: process.env['PATH'] }, stdio: 'ignore' },
    );
    try {
      await server.until(() => server.hellos[0], 'the hello of the packaged agent', 120_000);
      await server.target('dev-packaged', { model, generation: 1 });
      await server.reported(1, 'active');
    } finally {
      const ended = once(agent, 'exit');
      agent.kill('SIGTERM');
      await ended;
    }
  });
});
