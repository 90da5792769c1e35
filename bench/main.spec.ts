import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

function bench(...args: string[]) {
  const command = ['--conditions=espalier-source', '--import', './bench/register.mjs'];
  return spawnSync(process.execPath, [...command, 'bench/main.ts', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '--no-warnings' },
  });
}

describe('npm run bench', () => {
  it('refuses a name it does not know with exit 2 and the names there are', () => {
    const { status, stderr, stdout } = bench('compresion', '--json');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('BENCH_USAGE: There is no benchmark "compresion".');
    expect(stderr).toMatch(/NAME is one of: .*compression/);
  });

  it('refuses an option that the benchmark does not have', () => {
    const { status, stderr } = bench('compression', '--rows', '1');
    expect(status).toBe(2);
    expect(stderr).toContain('Options: --row, --front, --json.');
  });
});
