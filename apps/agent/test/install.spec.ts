/**
 * Gives the built agent (`npm run build`, which `npm test` does first) what it must not take, ends it
 * at bad moments, and looks at where it stands afterwards.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { sha256 } from '@espalier/delivery';
import { endless, garbage, model, notFinite, padded } from './models.js';
import { Site } from './site.js';
import type { StubServer } from './stub-server.js';

jest.setTimeout(300_000);

const next = padded(1_500_000, 7);
let site: Site;
let server: StubServer;
beforeEach(async () => {
  site = await Site.open();
  server = site.server;
});
afterEach(() => site.close());

describe('an install', () => {
  it('goes back to the previous model without receiving a byte', async () => {
    await site.started('back');
    await server.target('dev-back', { model, generation: 1 });
    await server.reported(1, 'active');
    await server.target('dev-back', { model: next, generation: 2 });
    await server.reported(2, 'active');
    const needs = server.needs.length;
    await server.target('dev-back', { model, generation: 3 });
    expect(await server.reported(3, 'active')).toMatchObject({
      loadedSha256: sha256(model),
      receivedBytes: 0,
    });
    expect(server.needs).toHaveLength(needs);
  });

  it.each([
    ['gives values that are not finite', notFinite, 'RUN_PROBE'],
    ['cannot be opened', garbage, 'RUN_LOAD'],
  ])('of a model that %s fails, and the former one runs on', async (_, bad, code) => {
    const agent = await site.started('bad');
    await server.target('dev-bad', { model, generation: 1 });
    await server.reported(1, 'active');
    await server.target('dev-bad', { model: bad, generation: 2, changes: { card: null } });
    const failed = { failure: { code }, running: { modelSha256: sha256(model) } };
    expect(await server.reported(2, 'failed')).toMatchObject(failed);

    server.hellos.length = 0;
    await agent.end('SIGKILL');
    agent.start();
    const hello = await server.until(() => server.hellos[0], 'hello');
    expect(hello).toMatchObject({ generation: 2, running: { modelSha256: sha256(model) } });
  });

  it('takes no artifact that becomes another model than was signed', async () => {
    await site.started('lie');
    const model32 = { sha256: sha256(next), length: model.length };
    await server.target('dev-lie', { model, generation: 1, changes: { model: model32 } });
    // The target names the hash of `model`; the release must hold the same one.
    expect(server.reports).toEqual([]);
    const longer = { sha256: sha256(model), length: model.length - 1 };
    await server.target('dev-lie', { model, generation: 2, changes: { model: longer } });
    const { failure, running } = await server.reported(2, 'failed');
    expect(failure!.code).toBe('ARTIFACT_LENGTH');
    expect(running).toBeNull();
  });

  it('is refused with a code when the storage limit would not hold it beside the present model', async () => {
    await site.started('small', ['--storage-limit-mib', '2', '--memory-limit-mib', '64']);
    await server.target('dev-small', { model, generation: 1 });
    await server.reported(1, 'active');
    await server.target('dev-small', { model: next, generation: 2 });
    expect(await server.reported(2, 'refused')).toMatchObject({
      failure: { code: 'TARGET_STORAGE' },
      running: { modelSha256: sha256(model) },
    });
    await server.target('dev-small', {
      model: padded(9, 1),
      generation: 3,
      changes: { peakRamBytes: 2 ** 27 },
    });
    expect(await server.reported(3, 'refused')).toMatchObject({
      failure: { code: 'TARGET_MEMORY' },
    });
    await server.target('dev-small', { model: padded(9, 1), generation: 4 });
    await server.reported(4, 'active');
  });

  it('that takes the agent down each time is given up, and the former model runs', async () => {
    const agent = await site.started('loop');
    await server.target('dev-loop', { model, generation: 1 });
    await server.reported(1, 'active');
    const sent = server.target('dev-loop', { model: next, generation: 2 });
    for (let loads = 1; loads <= 5; loads += 1) {
      // As a crash of the runtime would, after the load was counted and before it ended.
      await agent.killWhen(
        ({ install, slots }) =>
          install?.state === 'probing' && (slots[install.slot]?.loads ?? 0) >= loads,
      );
      agent.start();
    }
    await sent;
    expect(await server.reported(2, 'failed')).toMatchObject({
      failure: { code: 'INSTALL_CRASH_LOOP' },
      running: { modelSha256: sha256(model) },
    });
  });

  it('of a model that never comes back ends the agent, which counts that load against it', async () => {
    const agent = await site.started('hung', ['--call-limit-s', '2']);
    void server.target('dev-hung', { model: endless(), generation: 1, changes: { card: null } });
    await agent.until(() => agent.ended && agent.log.includes('the model does not come back'));
    const { install, slots } = agent.state()!;
    expect(install).toMatchObject({ generation: 1, state: 'probing' });
    expect(slots[install!.slot]!.loads).toBe(1);
  });

  it('that ends the agent at every start once it is active is given up without the server, which is told later', async () => {
    const agent = await site.started('offline');
    await server.target('dev-offline', { model, generation: 1 });
    await server.reported(1, 'active');
    await server.target('dev-offline', { model: next, generation: 2 });
    await server.reported(2, 'active');
    await server.stopBroker();
    for (let loads = 2; loads <= 5; loads += 1) {
      await agent.end('SIGKILL');
      agent.start();
      // As a crash of the runtime would, after the load was counted.
      await agent.killWhen(
        ({ current, slots }) => current !== null && slots[current]!.loads >= loads,
      );
    }
    const before = agent.log.length;
    agent.start();
    await agent.until(() => loadedAfter(before).at(-1) === sha256(model));
    expect(loadedAfter(before)).toEqual([sha256(model)]);
    expect(agent.state()).toMatchObject({
      install: { generation: 2, state: 'failed', failure: { code: 'INSTALL_CRASH_LOOP' } },
    });
    server.reports.length = 0;
    await server.startBroker();
    expect(await server.reported(2, 'failed')).toMatchObject({
      failure: { code: 'INSTALL_CRASH_LOOP' },
      running: { modelSha256: sha256(model) },
    });

    function loadedAfter(position: number): string[] {
      const lines = agent.log.slice(position).split('\n');
      return lines.flatMap((line) => /"loadedSha256":"([0-9a-f]{64})"/.exec(line)?.[1] ?? []);
    }
  });

  it('goes on in the right state when the clock was set back ten years between its starts', async () => {
    const agent = await site.started('past');
    await server.target('dev-past', { model, generation: 1 });
    await server.reported(1, 'active');
    const seen = agent.state()!.latestTimeMs;
    const sent = server.target('dev-past', { model: next, generation: 2 });
    await agent.killWhen(({ install }) => install?.generation === 2 && install.state === 'probing');
    await sent;
    const log = join(site.directory(), 'writes');
    agent.start({ log, clockSkewMs: -10 * 365 * 86_400_000 });
    expect(await server.reported(2, 'active')).toMatchObject({ loadedSha256: sha256(next) });
    expect(Date.parse(server.reports.at(-1)!.at)).toBeLessThan(seen);

    // What expired by the latest time seen is not taken again, whatever the clock says.
    const expires = new Date(seen - 1000).toISOString();
    await server.target('dev-past', { model, generation: 3, expires });
    expect(await server.reported(3, 'refused')).toMatchObject({
      failure: { code: 'TRUST_EXPIRED' },
      running: { modelSha256: sha256(next) },
    });
    await server.target('dev-past', { model, generation: 4 });
    await server.reported(4, 'active');
    expect(agent.state()!.latestTimeMs).toBeGreaterThanOrEqual(seen);
    expect(server.reports.some((r) => r.generation === 3 && r.state === 'active')).toBe(false);
  });

  it('received before a halt is not activated by a device that was away', async () => {
    const agent = await site.started('away');
    await server.target('dev-away', { model, generation: 1 });
    await server.reported(1, 'active');
    const sent = server.target('dev-away', { model: next, generation: 2 });
    await agent.killWhen(({ install }) => install?.generation === 2 && install.state === 'probing');
    await sent;
    server.withdraw('dev-away');
    server.hellos.length = 0;
    agent.start();
    const hello = await server.until(() => server.hellos[0], 'hello');
    expect(hello.running).toMatchObject({ modelSha256: sha256(model) });
    // A message round trip later it still waits.
    await server.send('dev-away', 'measure', { reason: 'a round trip' });
    await server.until(
      () => (server.reports.at(-1)?.state === 'probing' ? true : undefined),
      'report',
    );
    expect(agent.state()).toMatchObject({ install: { generation: 2, state: 'probing' } });
    await server.target('dev-away', { model, generation: 3 });
    await server.reported(3, 'active');
    expect(server.reports.some((r) => r.generation === 2 && r.state === 'active')).toBe(false);
  });

  it('on a full disk fails with a code, and the former model runs before and after a restart', async () => {
    const directory = site.directory();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1700k', 'tmpfs', directory]);
    } catch {
      process.stderr.write('No file system can be mounted here: a full disk was not tried.\n');
      return;
    }
    try {
      const agent = await site.started('full', [], directory);
      await server.target('dev-full', { model, generation: 1 });
      await server.reported(1, 'active');
      // Fits by what was free when it was accepted; then something else takes the room.
      server.chunkPaceMs = 50;
      const bytes = padded(300_000, 5);
      await server.target('dev-full', { model: bytes, generation: 2, encoding: 'identity' });
      await server.reported(2, 'downloading');
      const filler = join(directory, 'filler');
      execFileSync('sh', ['-c', `dd if=/dev/zero of=${filler} bs=4k 2>/dev/null || true`]);
      const failed = await server.until(
        () => server.reports.find((r) => r.generation === 2 && r.failure !== null),
        'a failure',
      );
      expect(failed).toMatchObject({
        state: 'failed',
        failure: { code: 'INSTALL_STORAGE_FULL' },
        running: { modelSha256: sha256(model) },
      });
      server.hellos.length = 0;
      await agent.end('SIGKILL');
      agent.start();
      const hello = await server.until(() => server.hellos[0], 'hello');
      expect(hello.running).toMatchObject({ modelSha256: sha256(model) });
      rmSync(filler);
      server.chunkPaceMs = 0;
      await server.target('dev-full', { model: bytes, generation: 3, encoding: 'identity' });
      await server.reported(3, 'active');
      await agent.end('SIGKILL');
    } finally {
      execFileSync('umount', ['-l', directory]);
    }
  });
});
