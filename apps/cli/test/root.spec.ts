import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { signedSchema, type Signed } from '@espalier/protocol';
import { followRoots, trustFirstRoot } from '@espalier/trust';
import { CliProcess } from './cli-process.js';

jest.setTimeout(240_000);

interface Made {
  readonly version: number;
  readonly signatures: { version: number; signed: number; needed: number }[];
  readonly complete: boolean;
}

describe('roots made off the server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-root-'));
  const file = (name: string): string => join(folder, name);
  const key = (name: string): string => file(`${name}.pem`);
  const root = async (...args: string[]): Promise<Made> => {
    const { code, stdout, stderr } = await new CliProcess(['root', ...args, '--json']).ended;
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as Made;
  };
  const keygen = async (name: string): Promise<{ publicKey: string; keyId: string }> => {
    const made = await root('keygen', '--out', key(name));
    return made as unknown as { publicKey: string; keyId: string };
  };
  const read = (name: string): Signed =>
    signedSchema.parse(JSON.parse(readFileSync(file(name), 'utf8')));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('need the signatures of their own keys and of those before, and lead a device on', async () => {
    const names = ['first', 'a', 'b', 'c', 'online', 'release'];
    const [first, a, b, c, online, release] = await Promise.all(names.map(keygen));
    const one = await root(
      ...['make', '--root', first!.publicKey, '--online', online!.publicKey],
      ...['--release', release!.publicKey, '--key', key('first'), '--out', file('1.json')],
    );
    expect(one).toMatchObject({ version: 1, complete: true });

    const two = await root(
      ...['make', '--from', file('1.json'), '--root-threshold', '2'],
      ...[a, b, c].flatMap((pair) => ['--root', pair!.publicKey]),
      ...['--key', key('b'), '--out', file('2.json')],
    );
    expect(two).toMatchObject({ version: 2, complete: false });
    expect(two.signatures).toEqual([
      { version: 2, signed: 1, needed: 2 },
      { version: 1, signed: 0, needed: 1 },
    ]);
    const known = trustFirstRoot(read('1.json'), first!.keyId);
    const follow = () => followRoots(known, [], read('2.json'));
    await root('sign', file('2.json'), '--key', key('first'), '--from', file('1.json'));
    expect(follow).toThrow(expect.objectContaining({ code: 'TRUST_THRESHOLD' }));
    const signed = await root('sign', file('2.json'), '--key', key('c'), '--from', file('1.json'));
    expect(signed.complete).toBe(true);
    expect(follow().roles.root.keyids).toHaveLength(3);

    // A key is replaced; the device has been away since the first.
    await root(
      ...['make', '--from', file('2.json'), '--root', a!.publicKey, '--root', b!.publicKey],
      ...['--key', key('a'), '--key', key('b'), '--out', file('3.json')],
    );
    const third = followRoots(known, [read('2.json')], read('3.json'));
    expect(third).toMatchObject({ version: 3, roles: { root: { threshold: 2 } } });
    expect(third.roles.release.keyids).toEqual([release!.keyId]);
  });

  it('are refused where they cannot be, with what to do', async () => {
    const of = async (...args: string[]) => new CliProcess(['root', ...args]).ended;
    const without = await of('make', '--key', key('first'), '--out', file('x.json'));
    expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('give --root') });
    const many = await of(
      ...['make', '--from', file('1.json'), '--root-threshold', '2'],
      ...['--key', key('first'), '--out', file('x.json')],
    );
    expect(many).toMatchObject({ code: 2, stderr: expect.stringContaining('TRUST_THRESHOLD') });
    const none = await of('show', key('first'));
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('CLI_FILE') });
  });
});
