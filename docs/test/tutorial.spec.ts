import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';

jest.setTimeout(420_000);

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TUTORIAL = readFileSync(join(ROOT, 'docs/tutorial.md'), 'utf8');
/** The server's port in the text; here it may be taken. */
const PORT = '8080';

/** What stands in the blocks that a reader pastes, in order. */
const blocks = [...TUTORIAL.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? '');

describe('the tutorial', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-tutorial-'));

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('works word for word in one bash, but for the port', async () => {
    const [port, brokerPort] = [await freePort(), await freePort()];
    const script = [
      // Nothing is left running, however it ends.
      `trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT`,
      ...blocks.map((block) => block.replaceAll(PORT, String(port))),
      'trap - EXIT',
      'echo the end',
    ].join('\n');
    const { code, output } = await bash(script, {
      ...{ PATH: process.env['PATH'] ?? '', HOME: folder, TMPDIR: folder },
      ...{ PORT: String(port), BROKER_PORT: String(brokerPort) },
    });
    if (code !== 0) throw new Error(`bash ended with ${code}:\n${output}\n${logs(folder)}`);
    expect(output).toMatch(/sends .* of at most 200 KiB|transfer/);
    expect(output).toMatch(/Nothing is wrong\./);
    expect(output).toMatch(/rollout \S+ of \S+: completed/);
    expect(output).toMatch(/loaded sha256 +[0-9a-f]{64}/);
    expect(output.trimEnd().endsWith('the end')).toBe(true);
  });
});

describe('the documents', () => {
  const pages = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path}`);

  it.each(['README.md', 'CONTRIBUTING.md', ...pages])(
    '%s leads to pages that are there',
    (page) => {
      const text = readFileSync(join(ROOT, page), 'utf8');
      const targets = [...text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
        .map(([, target]) => target ?? '')
        .filter((target) => !/^[a-z]+:/.test(target));
      for (const target of targets) {
        expect([target, existsSync(join(ROOT, page, '..', target))]).toEqual([target, true]);
      }
    },
  );
});

function bash(
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; output: string }> {
  const child = spawn('bash', ['-eu', '-o', 'pipefail', '-c', script], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => (output += part.toString('utf8')));
  }
  const timer = setTimeout(() => child.kill('SIGTERM'), 400_000);
  return new Promise((resolve) => {
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

/** The ends of the logs that the tutorial writes. */
const logs = (folder: string): string =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.log'))
    .map((path) => `--- ${path}\n${readFileSync(join(folder, path), 'utf8').slice(-2000)}`)
    .join('\n');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
