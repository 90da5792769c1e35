/**
 * Runs the built agent (`npm run build`, which `npm test` does first) as a process of its own
 * against the built broker and a stub of the server.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { sha256 } from '@espalier/delivery';
import { LIMITS } from '@espalier/protocol';
import { input, model, padded, slow } from './models.js';
import { Site } from './site.js';
import type { StubServer } from './stub-server.js';

const SERVES = [
  '--input',
  input,
  '--inference-interval-ms',
  '20',
  '--telemetry-interval-ms',
  '500',
];

jest.setTimeout(300_000);

let site: Site;
let server: StubServer;
beforeEach(async () => {
  site = await Site.open();
  server = site.server;
});
afterEach(() => site.close());

describe('an agent', () => {
  it('enrols, measures itself, installs its target, runs it, and reports what it measured', async () => {
    await site.started('one', [...SERVES, '--emulate-slowdown', '2', '--label', 'site=lab']);
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
    const bytes = padded(2_000_000, 1);
    const agent = await site.started('cut');
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
    const indices = asked.flatMap((need) => need.indices);
    expect(indices.length).toBeLessThanOrEqual(total - held + 1);
    expect(report.loadedSha256).toBe(sha256(bytes));
    expect(report.receivedBytes).toBeLessThanOrEqual(bytes.length + LIMITS.chunkBytes);
  });

  it('names the other hash when the file is swapped before activation, and goes back', async () => {
    const agent = await site.started('swap');
    await server.target('dev-swap', { model, generation: 1 });
    await server.reported(1, 'active');

    // The state is on the disk before the file is read, so the kill leaves the load to the restart.
    await server.target('dev-swap', { model: padded(9000, 2), generation: 2 });
    const { install, current } = await agent.killWhen(
      (state) => state.install?.generation === 2 && state.install.state === 'probing',
    );
    expect(install).toMatchObject({ generation: 2, state: 'probing' });
    expect(install!.slot).not.toBe(current);
    const other = padded(9000, 3);
    writeFileSync(join(agent.stateDir, 'slots', `${install!.slot}.onnx`), other);
    agent.start();

    expect(await server.reported(2, 'failed')).toMatchObject({
      loadedSha256: sha256(other),
      failure: { code: 'RUN_OTHER_HASH' },
      running: { variantId: 'v1', modelSha256: sha256(model) },
    });
    expect(server.reports.some((r) => r.generation === 2 && r.state === 'active')).toBe(false);
  });

  it('goes on pinging the broker while an inference takes five seconds', async () => {
    let pings = 0;
    // A PINGREQ has two bytes (MQTT 3.1.1, section 3.12), and the agent sends it alone: with the
    // type and the tag of a TLS 1.3 record of application data (23), 19 after the header of 5.
    const wire = createServer((socket) => {
      const broker = connect(server.brokerPort, '127.0.0.1');
      socket.on('data', (bytes) => {
        if (bytes.length === 24 && bytes[0] === 23) pings += 1;
      });
      socket.pipe(broker).pipe(socket);
      broker.on('error', () => socket.destroy());
      socket.on('error', () => broker.destroy());
    }).listen(0, '127.0.0.1');
    await once(wire, 'listening');
    server.toldPort = (wire.address() as AddressInfo).port;
    await site.started('slow', ['--keepalive-s', '1']);
    const five = await slow(5);
    await server.target('dev-slow', { model: five, generation: 1, changes: { card: null } });
    await server.reported(1, 'probing');
    const before = pings;
    const { probe, failure } = await server.until(
      () => server.reports.find(({ state }) => state === 'active' || state === 'failed'),
      'the end of the inference',
      240_000,
    );
    expect(failure).toBeNull();
    expect(probe!.latencyMs).toBeGreaterThan(5000);
    // A ping each second, of which none was missed for long.
    expect(pings - before).toBeGreaterThanOrEqual(Math.floor(probe!.latencyMs / 2000));
    wire.close();
  });

  it('measures itself again when it is asked to', async () => {
    await site.started('again', SERVES);
    await server.target('dev-again', { model, generation: 1 });
    await server.reported(1, 'active');
    await server.until(() => server.telemetry.at(-1), 'telemetry');
    const before = server.profiles.length;
    await server.send('dev-again', 'measure', { reason: 'a test' });
    await server.until(() => server.profiles[before], 'a new profile');
    const windows = server.telemetry.length;
    await server.until(
      () => server.telemetry.slice(windows).find((w) => w.inferences > 0),
      'telemetry',
    );
  });

  it('comes back by itself after the broker was gone, and loses no report and no window', async () => {
    await site.started('outage', SERVES);
    server.acknowledges = false;
    await server.target('dev-outage', { model, generation: 1 });
    await server.reported(1, 'active');
    const first = await server.until(() => server.telemetry[0], 'telemetry');
    const hellos = server.hellos.length;
    await server.stopBroker();
    server.reports.length = 0;
    server.telemetry.length = 0;
    server.acknowledges = true;
    await server.startBroker();
    await server.until(() => server.hellos[hellos], 'another hello');
    await server.reported(1, 'active');
    const windows = await server.until(
      () => (server.telemetry.length > 2 ? server.telemetry : undefined),
      'the windows of the outage',
    );
    expect(windows.map(({ from }) => from)).toContain(first.from);
    for (const [at, window] of windows.slice(1).entries())
      expect(window.from).toBe(windows[at]!.to);
  });
});

describe('an agent that cannot start', () => {
  const refusal = async (agent: ReturnType<Site['agent']>) => {
    agent.start();
    return { code: await agent.exit(), log: agent.log };
  };

  it('exits with 2 and says why: no token, another server’s token, an unreadable input', async () => {
    const none = site.agent('none');
    const args = none.args.filter((arg) => arg !== '--token' && !arg.startsWith('esp1.'));
    const { AgentProcess } = await import('./agent-process.js');
    expect(await refusal(new AgentProcess(none.stateDir, args))).toMatchObject({
      code: 2,
      log: expect.stringContaining('ENROL_NO_TOKEN'),
    });

    const elsewhere = await Site.open();
    const foreign = none.args.map((arg) =>
      arg.startsWith('esp1.') ? elsewhere.server.token() : arg,
    );
    await elsewhere.close();
    expect(await refusal(new AgentProcess(none.stateDir, foreign))).toMatchObject({
      code: 2,
      log: expect.stringContaining('TRUST_PIN'),
    });

    const noInput = site.agent('blind', ['--input', '/nowhere.npz']);
    expect(await refusal(noInput)).toMatchObject({
      code: 2,
      log: expect.stringContaining('/nowhere.npz'),
    });
  });

  it('leaves a state directory alone that another agent holds', async () => {
    const first = await site.started('first');
    const second = site.agent('second', [], first.stateDir);
    expect(await refusal(second)).toMatchObject({
      code: 2,
      log: expect.stringContaining('AGENT_STATE_IN_USE'),
    });
  });
});
