import { jest } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { profileSchema } from '@espalier/protocol';
import { firstLine, Processes } from '../src/demo/processes.js';
import { CALIBRATION, CARD, EVALUATION, MODEL, run, type Ended } from './cli-process.js';

jest.setTimeout(180_000);

const SERVER = fileURLToPath(new URL('../../server/dist/main.js', import.meta.url));
const AGENT = fileURLToPath(new URL('../../agent/dist/main.js', import.meta.url));

// The tests are steps of one walk: what one step makes, the next ones use.
describe('a fleet, driven from the command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-fleet-spec-'));
  const processes = new Processes(join(folder, 'logs'));
  const key = join(folder, 'release.pem');
  let server = '';
  let deviceId = '';
  let modelId = '';
  let planId = '';
  let releaseId = '';
  let rolloutId = '';

  const here = () => ({ ESPALIER_SERVER: server, XDG_CONFIG_HOME: join(folder, 'config') });
  const cli = (...args: string[]): Promise<Ended> => run(args, here());
  /** Runs a command that must succeed, and parses its JSON. */
  const json = async <T>(...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await cli(...args, '--json');
    expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
    return JSON.parse(stdout) as T;
  };

  beforeAll(async () => {
    const made = await run(['releases', 'keygen', '--out', key, '--json']);
    const { publicKey } = JSON.parse(made.stdout) as { publicKey: string };
    const child = processes.start('server', SERVER, [], {
      ...{ PATH: process.env['PATH'], DATA_DIR: join(folder, 'server') },
      ...{ PORT: '0', BROKER_PORT: '0', ESPALIER_RELEASE_KEYS: publicKey },
    });
    const line = await firstLine(child, AbortSignal.timeout(30_000));
    server = (JSON.parse(line) as { url: string }).url;
  });

  it('lets nobody in without a login, and keeps its token to its owner', async () => {
    const refused = await cli('devices', 'list');
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/^UNAUTHENTICATED: /),
    ]);
    const login = ['login', '--name', 'admin', '--password-stdin'];
    const wrong = await run(login, here(), 'a wrong password\n');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/^LOGIN_REFUSED: /)]);
    const password = readFileSync(join(folder, 'server/admin-password'), 'utf8');
    expect(statSync(join(folder, 'server/admin-password')).mode & 0o777).toBe(0o600);
    const right = await run(login, here(), password);
    expect([right.code, right.stdout]).toEqual([0, expect.stringMatching(/^admin, admin, until /)]);
    expect(statSync(join(folder, 'config/espalier/credentials.json')).mode & 0o777).toBe(0o600);
    expect(await json('whoami')).toMatchObject({ account: { name: 'admin', role: 'admin' } });
  });

  afterAll(async () => {
    await processes.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('keeps a release key to its owner, and never writes over one', async () => {
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const { code, stderr } = await run(['releases', 'keygen', '--out', key]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^CLI_OUT: /);
  });

  it('lets a device join with a token, and shows what it measured of itself', async () => {
    expect((await cli('devices', 'list')).stdout).toMatch(/No devices/);
    const { token } = await json<{ token: string }>(
      ...['devices', 'claim', '--name', 'press', '--label', 'site=lab'],
    );
    processes.start(
      'agent',
      AGENT,
      [
        ...['--server', server, '--state-dir', join(folder, 'press'), '--quick-profile'],
        ...['--input', EVALUATION, '--telemetry-interval-ms', '1000'],
      ],
      { PATH: process.env['PATH'], ESPALIER_CLAIM_TOKEN: token },
    );
    for (;;) {
      processes.brokenSignal.throwIfAborted();
      const [device] = await json<{ id: string; state: string }[]>(
        ...['devices', 'list', '--selector', 'site=lab', '--state', 'ready'],
      );
      if (!device) continue;
      deviceId = device.id;
      break;
    }
    const profile = join(folder, 'profile.json');
    writeFileSync(profile, (await cli('devices', 'profile', deviceId)).stdout);
    expect(profileSchema.parse(JSON.parse(readFileSync(profile, 'utf8')))).toMatchObject({
      emulatedSlowdown: null,
    });
    expect((await cli('devices', 'show', deviceId)).stdout).toMatch(/labels\s+site=lab/);
  });

  it('changes the limits of a budget that are given, and no others', async () => {
    const budget = (...args: string[]) => json('devices', 'budget', deviceId, ...args);
    expect(await budget('--latency-ms', '50', '--ram-kib', '4096')).toEqual({
      latencyP95Ms: 50,
      peakRamBytes: 4096 * 1024,
    });
    expect(await budget('--latency-ms', '60', '--lift', 'peakRamBytes')).toEqual({
      latencyP95Ms: 60,
    });
    expect(await budget()).toEqual({ latencyP95Ms: 60 });
    const { code, stderr } = await cli('devices', 'budget', deviceId, '--lift', 'speed');
    expect(code).toBe(2);
    expect(stderr).toMatch(/speed/);
  });

  it('pushes a model, makes candidates of it, and plans with them', async () => {
    ({ id: modelId } = await json<{ id: string }>(
      ...['models', 'push', MODEL, '--calibration', CALIBRATION],
      ...['--evaluation', EVALUATION, '--card', CARD],
    ));
    expect((await cli('models', 'list')).stdout).toMatch(/fashion-mobilenetv2.*6,597,856/);
    const made = await cli(
      ...['models', 'candidates', modelId, '--make', '--points', '2'],
      ...['--precision', 'fp32', '--json'],
    );
    expect(made.stderr).toMatch(/refit/);
    const candidates = JSON.parse(made.stdout) as { id: string }[];
    expect(candidates).toHaveLength(2);
    const plan = await json<{ id: string; assignments: { candidateId: string }[] }>(
      ...['plan', '--model', modelId, '--selector', 'site=lab', '--save'],
    );
    expect(candidates.map(({ id }) => id)).toContain(plan.assignments[0]!.candidateId);
    planId = plan.id;
    expect((await cli('plan', '--show', planId)).stdout).toContain(deviceId);
  });

  it('rolls nothing out that is not signed, and takes a signature made here', async () => {
    const release = await json<{ id: string; state: string }>(
      ...['releases', 'create', modelId, planId],
    );
    expect(release.state).toBe('unsigned');
    releaseId = release.id;
    const refused = await cli('rollouts', 'create', releaseId, planId);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/^RELEASE_UNSIGNED: /);
    const signed = await json<{ state: string }>('releases', 'sign', releaseId, '--key', key);
    expect(signed.state).toBe('signed');
    expect((await cli('releases', 'list')).stdout).toMatch(new RegExp(`${releaseId}.*signed`));
  });

  it('shows what a rollout would do before it is written', async () => {
    const flags = [
      '--stages',
      '1n,100!',
      '--soak',
      '10',
      '--accuracy',
      '1,6',
      '--control',
      '10',
      '--at',
      'start=2099-01-31T08:00:00Z',
    ];
    const preview = await json<{ devices: number; bytes: number; seconds: number }>(
      ...['rollouts', 'preview', releaseId, planId, ...flags],
    );
    expect(preview).toMatchObject({ devices: 1, seconds: 10, misfits: [] });
    expect(preview.bytes).toBeGreaterThan(0);
    const wrong = await cli('rollouts', 'preview', releaseId, planId, '--accuracy', '6,1');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/^ROLLOUT_SPEC/)]);
  });

  it('rolls out, watches to the end, and shows the hash that the device loaded', async () => {
    ({ id: rolloutId } = await json<{ id: string }>(
      ...['rollouts', 'create', releaseId, planId, '--stages', '100', '--soak', '0'],
    ));
    await json('rollouts', 'start', rolloutId, '--why', 'the walk');
    const watched = await cli('rollouts', 'watch', rolloutId);
    expect(watched.code).toBe(0);
    expect(watched.stdout).toMatch(new RegExp(`${rolloutId} of ${releaseId}: completed`));
    const { document } = await json<{ document: { variants: { model: { sha256: string } }[] } }>(
      ...['releases', 'show', releaseId],
    );
    const { stdout } = await cli('devices', 'show', deviceId);
    expect(stdout).toContain(`loaded sha256  ${document.variants[0]!.model.sha256}`);
    expect((await cli('rollouts', 'decisions', rolloutId)).stdout).toMatch(
      /draft → running.*order of admin: start.*the walk/,
    );
    expect(await json('rollouts', 'replay', rolloutId)).toMatchObject({ identical: true });
    expect(await json('telemetry', 'show', '--hours', '1')).toMatchObject({
      series: expect.any(Array) as unknown,
    });
    const both = await cli('telemetry', 'show', '--device', deviceId, '--model', 'm');
    expect([both.code, both.stderr]).toEqual([2, expect.stringMatching(/^CLI_USAGE: --device/)]);
  });

  it('asks for shadow samples within what is said, shows what they gave, and stops', async () => {
    const start = ['shadow', 'start', modelId, '--share', '0.5', '--per-hour', '10'];
    expect(await json(...start, '--day-mib', '2')).toMatchObject({
      policy: { sampling: { share: 0.5, perHour: 10, bytesPerDay: 2 * 1024 * 1024 } },
    });
    const wrong = await cli(...start, '--day-mib', '0.1');
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringMatching(/^REQUEST_INVALID: .*twice/),
    ]);
    expect((await cli('shadow', 'show', modelId)).stdout).toMatch(/50 % of the inputs, at most 10/);
    // This agent was not started with --allow-shadow-samples.
    expect((await cli('shadow', 'agreement', '--model', modelId)).stdout).toBe(
      'no shadow samples\n',
    );
    await json('shadow', 'stop', modelId);
    expect((await cli('shadow', 'show', modelId)).stdout).toBe(`no shadow samples of ${modelId}\n`);
  });

  it('finds nothing wrong with this set-up, and says what is where the agent is not enrolled', async () => {
    const dataDir = join(folder, 'server');
    const all = ['doctor', '--data-dir', dataDir, '--state-dir'];
    const { findings } = await json<{ findings: { check: string; state: string }[] }>(
      ...[...all, join(folder, 'press')],
    );
    expect(findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['runtime', 'database', 'server', 'version', 'clock', 'broker']),
    );
    const other = await cli(...all, join(folder, 'nowhere'));
    expect(other.code).toBe(1);
    expect(other.stdout).toMatch(/BAD {2}enrolment .*not enrolled.*\n.*espalier devices claim/);
  });

  it('keeps accounts, gives tokens to programs, and shows and proves what was done', async () => {
    const made = await run(
      ['accounts', 'create', 'olga', '--role', 'operator', '--password-stdin'],
      here(),
      'a password for olga\n',
    );
    expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/olga .*operator/)]);
    const { token, id } = await json<{ token: string; id: string }>(
      ...['tokens', 'create', 'nightly', '--role', 'viewer'],
    );
    const order = await cli('rollouts', 'pause', rolloutId, '--token', token);
    expect([order.code, order.stderr]).toEqual([2, expect.stringMatching(/^ROLE_NEEDED: /)]);
    expect((await cli('tokens', 'list')).stdout).toMatch(new RegExp(`${id}.*nightly.*viewer`));
    await json('tokens', 'revoke', id);
    expect((await cli('audit', 'list', '--outcome', 'refused')).stdout).toContain('ROLE_NEEDED');

    const { head } = await json<{ head: { seq: number; hash: string } }>('audit', 'verify');
    const exported = join(folder, 'audit.jsonl');
    const { stdout } = await cli('audit', 'export');
    writeFileSync(exported, stdout);
    const kept = ['--head', `${head.seq}:${head.hash}`];
    expect(await json('audit', 'verify', exported, ...kept)).toMatchObject({ fault: null });
    writeFileSync(exported, stdout.replace('/api/v1/accounts/olga', '/api/v1/accounts/otto'));
    const altered = await cli('audit', 'verify', exported);
    expect([altered.code, altered.stdout]).toEqual([1, expect.stringMatching(/BROKEN.*altered/)]);
    writeFileSync(exported, `${stdout.split('\n').slice(0, 3).join('\n')}\n`);
    expect((await cli('audit', 'verify', exported, ...kept)).stdout).toMatch(/BROKEN.*missing/);
  });

  it('passes on what the server refuses, and says when none answers', async () => {
    const missing = await cli('devices', 'show', 'nobody-1');
    expect([missing.code, missing.stderr]).toEqual([
      2,
      'NOT_FOUND: There is no device nobody-1.\n',
    ]);
    const again = await cli('rollouts', 'start', rolloutId);
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/^ROLLOUT_NOT_ALLOWED/)]);
    const silent = await cli('devices', 'list', '--server', 'http://127.0.0.1:1');
    expect(silent.code).toBe(3);
    expect(silent.stderr).toMatch(/^CLI_UNREACHABLE: .*--server/);
    await json('logout');
    expect((await cli('devices', 'list')).stderr).toMatch(/^UNAUTHENTICATED: /);
  });
});
