/**
 * Runs the built agent (`npm run build`, which `npm test` does first) as a process of its own
 * against the built broker and a stub of the server.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256 } from '@espalier/delivery';
import { LIMITS } from '@espalier/protocol';
import { AgentProcess } from './agent-process.js';
import { StubServer } from './stub-server.js';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));
const model = readFileSync(join(examples, 'fashion-mobilenetv2.onnx'));
const input = join(examples, 'fashion-evaluation.npz');
/** The same model with bytes that ONNX readers skip (an unknown field), hence another hash. */
const other = Buffer.concat([model, Buffer.from([0xfa, 0x3f, 4, 1, 2, 3, 4])]);
/** Still the same model, too random a tail to shrink: many chunks. */
const large = (seed: number): Buffer => {
  const tail = Buffer.alloc(2_000_000);
  let x = seed;
  for (let at = 0; at < tail.length; at += 1) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    tail[at] = x >>> 24;
  }
  const length = [(tail.length & 127) | 128, ((tail.length >> 7) & 127) | 128, tail.length >> 14];
  return Buffer.concat([model, Buffer.from([0xfa, 0x3f, ...length]), tail]);
};

let server: StubServer;
let agents: AgentProcess[] = [];
const directories: string[] = [];

function newAgent(name: string, ...args: string[]): AgentProcess {
  const stateDir = mkdtempSync(join(tmpdir(), 'espalier-agent-'));
  directories.push(stateDir);
  const agent = new AgentProcess(stateDir, [
    ...['--server', server.url, '--token', server.token(), '--name', name, '--quick-profile'],
    ...['--inference-interval-ms', '20', '--telemetry-interval-ms', '500', ...args],
  ]);
  agents.push(agent);
  return agent;
}

const enrolled = (name: string) =>
  server.until(() => (server.hellos.length > 0 ? true : undefined), `hello of ${name}`);

beforeEach(async () => {
  server = new StubServer();
  await server.start();
});

afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.end('SIGKILL')));
  agents = [];
  await server.stop();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

describe('an agent', () => {
  it('enrols, measures itself, installs its target, runs it, and reports what it measured', async () => {
    const agent = newAgent(
      'one',
      '--input',
      input,
      '--emulate-slowdown',
      '2',
      '--label',
      'site=lab',
    );
    agent.start();
    await enrolled('one');
    await server.target('dev-one', { model, generation: 1 });
    const report = await server.reported(1, 'active');
    expect(report).toMatchObject({
      loadedSha256: sha256(model),
      probe: { finite: true },
      running: { variantId: 'v1', modelSha256: sha256(model) },
      failure: null,
    });
    expect(report.receivedBytes).toBeGreaterThan(0);
    expect(server.reports.map(({ state }) => state)).toEqual(
      expect.arrayContaining(['accepted', 'downloading', 'installing', 'probing', 'active']),
    );

    const telemetry = await server.until(
      () => server.telemetry.find(({ inferences }) => inferences > 5),
      'telemetry',
    );
    expect(telemetry).toMatchObject({ generation: 1, errors: 0, emulatedSlowdown: 2 });
    expect(telemetry.latencyMs!.p50).toBeGreaterThan(0);
    expect(telemetry.latencyMs!.p95).toBeGreaterThanOrEqual(telemetry.latencyMs!.p50);
    expect(telemetry.accuracy!.correct / telemetry.accuracy!.labelled).toBeGreaterThan(0.6);
    expect(server.profiles[0]).toMatchObject({ emulatedSlowdown: 2 });
  });

  it('killed in its download, asks after the restart for what is missing and one chunk at most', async () => {
    const bytes = large(1);
    const agent = newAgent('cut');
    agent.start();
    await enrolled('cut');
    server.chunkAllowance = 15;
    await server.target('dev-cut', { model: bytes, generation: 1, encoding: 'identity' });
    await server.until(
      () => (server.needs.some(({ receivedChunks }) => receivedChunks >= 8) ? true : undefined),
      'half a window',
    );
    await agent.end('SIGKILL');

    const before = server.needs.length;
    server.chunkAllowance = Infinity;
    agent.start();
    const report = await server.reported(1, 'active');
    const asked = server.needs.slice(before);
    const total = Math.ceil(bytes.length / LIMITS.chunkBytes);
    const held = asked[0]!.receivedChunks;
    expect(held).toBeGreaterThanOrEqual(8);
    expect(asked.flatMap(({ indices }) => indices).length).toBeLessThanOrEqual(total - held + 1);
    expect(report.loadedSha256).toBe(sha256(bytes));
    expect(report.receivedBytes).toBeLessThanOrEqual(bytes.length + LIMITS.chunkBytes);
  });

  it('names the other hash when the file is swapped before activation, and goes back', async () => {
    const agent = newAgent('swap');
    agent.start();
    await enrolled('swap');
    await server.target('dev-swap', { model, generation: 1 });
    await server.reported(1, 'active');

    // The state is on the disk before the file is read, so the kill leaves the load to the restart.
    await server.target('dev-swap', { model: large(2), generation: 2, encoding: 'identity' });
    const { install, current } = await agent.killWhen(
      (state) => state.install?.generation === 2 && state.install.state === 'probing',
    );
    expect(install).toMatchObject({ generation: 2, state: 'probing' });
    expect(install!.slot).not.toBe(current);
    writeFileSync(join(agent.stateDir, 'slots', `${install!.slot}.onnx`), other);
    agent.start();

    expect(await server.reported(2, 'failed')).toMatchObject({
      loadedSha256: sha256(other),
      failure: { code: 'RUN_OTHER_HASH' },
      running: { variantId: 'v1', modelSha256: sha256(model) },
    });
    expect(server.reports.some((r) => r.generation === 2 && r.state === 'active')).toBe(false);
  });
});
