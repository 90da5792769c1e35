import { jest } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliProcess, run, type Ended } from './cli-process.js';

jest.setTimeout(240_000);

const DEVICES = ['gateway', 'camera', 'meter', 'sensor'];

describe('the demo', () => {
  let folder: string;
  let ended: Ended;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'espalier-demo-spec-'));
    ended = await run(['demo', '--once', '--data-dir', join(folder, 'demo')]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const loaded = (): { name: string; sha256: string; widths: string }[] =>
    [...ended.stdout.matchAll(/^(\w+) +loaded sha256 ([0-9a-f]{64})\n +\S+, channels ([\d ]+)$/gm)]
      // The expression has three groups, each of which matched.
      .map(([, name, sha256, widths]) => ({ name: name!, sha256: sha256!, widths: widths! }));

  it('ends with every device active on a variant, and says so in one table', () => {
    expect({ code: ended.code, said: ended.code === 0 ? '' : ended.stdout + ended.stderr }).toEqual(
      { code: 0, said: '' },
    );
    for (const name of DEVICES) {
      const row = new RegExp(`│ ${name}[ *]+│.*│ (fp32|int8) │.*KiB │.*ms │.*ms │.*active │`);
      expect(ended.stdout).toMatch(row);
    }
    expect(ended.stdout).toMatch(/camera: a processor 4 times slower is emulated/);
  });

  it('gives the devices variants of at least three different widths', () => {
    expect(new Set(loaded().map(({ widths }) => widths)).size).toBeGreaterThanOrEqual(3);
  });

  it('names the hash of what each device loaded', () => {
    expect(loaded().map(({ name }) => name)).toEqual(DEVICES);
    const table = ended.stdout;
    for (const { sha256 } of loaded()) expect(table).toContain(`│ ${sha256.slice(0, 12)} │`);
  });

  it('changes the variant of a device whose limit is lifted', () => {
    const [, before, after] =
      /│ before +│[^│]+│ (\S+) +│[^]*│ after +│[^│]+│ (\S+) +│/.exec(ended.stdout) ?? [];
    expect(before).toMatch(/^v-/);
    expect(after).toMatch(/^v-/);
    expect(after).not.toBe(before);
  });

  it('refuses a folder that is not empty', async () => {
    const { code, stderr } = await run(['demo', '--once', '--data-dir', join(folder, 'demo')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^CLI_USAGE: .*not empty/);
  });

  it('ends its processes when it is interrupted', async () => {
    const data = join(folder, 'interrupted');
    const demo = new CliProcess(['demo', '--data-dir', data]);
    await demo.said(/devices join/);
    demo.signal('SIGINT');
    expect((await demo.ended).code).toBe(130);
    expect(readdirSync(data)).toContain('logs');
  });
});
