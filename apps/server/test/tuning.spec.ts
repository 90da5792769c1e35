import { jest } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KERNELS, type Budget, type Telemetry } from '@espalier/protocol';
import type { PlanPreview, PlanView, ProposalView } from '../src/tuning/schemas.js';
import { AgentProcess } from './agent-process.js';
import { profileOf, ScriptedDevice } from './scripted-device.js';
import { ServerProcess } from './server-process.js';
import { smallFiles, uploadSmall } from './small-model.js';
import { makeCandidates } from './walkthrough.js';

jest.setTimeout(240_000);

const ROLLOUT = {
  stages: [{ percent: 100 }],
  gate: { maxFailedShare: 0.5, minSample: 1 },
  soakSeconds: 0,
  deviceDeadlineSeconds: 120,
};

interface CandidateRow {
  readonly id: string;
  readonly artifact: { readonly bytes: number };
  readonly report: { readonly quality: { readonly after: number } };
}

describe('tuning that goes on', () => {
  let server: ServerProcess;
  let modelId: string;
  let candidates: CandidateRow[];
  const agents: AgentProcess[] = [];
  const scripted: ScriptedDevice[] = [];

  const setBudget = (id: string, budget: Budget): Promise<unknown> =>
    server.ok('PATCH', `/api/v1/devices/${id}`, { budget });
  const proposals = async (): Promise<ProposalView[]> =>
    (await server.ok<{ proposals: ProposalView[] }>('GET', '/api/v1/proposals')).proposals;
  /** Every candidate in one release, so that re-planning may choose among all. */
  const releaseAll = async (planIds: readonly string[]): Promise<string> => {
    const [planId] = planIds;
    return (await server.ok<{ id: string }>('POST', '/api/v1/releases', { modelId, planId })).id;
  };
  /** The most accurate candidate that may be sent. */
  const bestWithin = (bytes: number): CandidateRow =>
    candidates
      .filter(({ artifact }) => artifact.bytes <= bytes)
      .sort((a, b) => b.report.quality.after - a.report.quality.after)[0]!;
  const runs = (id: string, variantId: string): Promise<unknown> =>
    server.until<{ running: { variantId: string } | null; state: string }>(
      `/api/v1/devices/${id}`,
      ({ running, state }) => running?.variantId === variantId && state === 'active',
    );

  beforeAll(async () => {
    server = await ServerProcess.start();
    modelId = (await uploadSmall(server)).id;
    await makeCandidates(server, modelId, { points: 3, precisions: ['fp32'] });
    ({ candidates } = await server.ok<{ candidates: CandidateRow[] }>(
      'GET',
      `/api/v1/models/${modelId}/candidates`,
    ));
  });

  afterAll(async () => {
    for (const agent of agents) await agent.stop();
    for (const device of scripted) await device.disconnect();
    await server.dispose();
  });

  it('gives three real agents what their budgets allow, and re-plans only the one that is tightened', async () => {
    const limits = candidates.map(({ artifact }) => artifact.bytes).sort((a, b) => b - a);
    const names = ['wide', 'middle', 'narrow'];
    for (const name of names) {
      agents.push(await AgentProcess.start(server, name, [], { site: 'line' }));
    }
    const ids = new Map<string, string>();
    for (const name of names) {
      const { devices } = await server.until<{
        devices: { id: string; name: string; state: string }[];
      }>('/api/v1/devices?selector=site%3Dline', (page) =>
        page.devices.some((device) => device.name === name && device.state === 'ready'),
      );
      for (const device of devices) ids.set(device.name, device.id);
    }
    for (const [index, name] of names.entries()) {
      await setBudget(ids.get(name)!, { transferBytes: limits[index]! });
    }
    const plan = await server.ok<PlanView>('POST', '/api/v1/plans', {
      modelId,
      selector: 'site=line',
    });
    for (const [index, name] of names.entries()) {
      const { candidateId } = plan.assignments.find(({ deviceId }) => deviceId === ids.get(name))!;
      expect(candidateId).toBe(bestWithin(limits[index]!).id);
    }

    const releaseId = await releaseAll([plan.id]);
    await server.ok('POST', '/api/v1/policies', {
      ...{ releaseId, selector: 'site=line', push: true, rollout: ROLLOUT },
    });
    for (const [index, name] of names.entries()) {
      await runs(ids.get(name)!, bestWithin(limits[index]!).id);
    }
    const before = await proposals();
    expect(before[0]!.causes.map(({ cause }) => cause)).toEqual(['new', 'new', 'new']);

    await setBudget(ids.get('wide')!, { transferBytes: limits[2]! });
    await runs(ids.get('wide')!, bestWithin(limits[2]!).id);
    const after = await proposals();
    expect(after).toHaveLength(before.length + 1);
    expect(after[0]).toMatchObject({
      state: 'pushed',
      causes: [{ deviceId: ids.get('wide'), cause: 'budget', to: bestWithin(limits[2]!).id }],
    });
  });

  it('re-plans a device twice as slow as predicted once it has measured enough, and not before', async () => {
    const device = await ScriptedDevice.enrol(server, 'slow', { site: 'slow' });
    scripted.push(device);
    await device.connect(proportionalProfile());
    await server.until<{ state: string }>(
      `/api/v1/devices/${device.id}`,
      (d) => d.state === 'ready',
    );
    const preview = await server.ok<PlanPreview>('POST', '/api/v1/plans/preview', {
      modelId,
      selector: 'site=slow',
    });
    const [{ options }] = preview.assignments as [PlanPreview['assignments'][number]];
    const best = options.find(({ excludedBy }) => excludedBy === null)!;
    await setBudget(device.id, { latencyP95Ms: 1.5 * best.latencyMs.predicted });
    const everything = await server.ok<PlanView>('POST', '/api/v1/plans', { modelId });
    const releaseId = await releaseAll([everything.id]);
    await server.ok('POST', '/api/v1/policies', {
      ...{ releaseId, selector: 'site=slow', push: true, rollout: ROLLOUT },
    });
    await runs(device.id, best.candidateId);

    const measured = 2 * best.latencyMs.predicted;
    const window = (
      of = device,
      ms = measured,
      accuracy: Telemetry['accuracy'] = null,
    ): Promise<string> =>
      of.say('telemetry', {
        ...{ generation: of.generation, running: of.running },
        ...{ from: new Date(Date.now() - 1000).toISOString(), to: new Date().toISOString() },
        ...{ inferences: 50, errors: 0, accuracy, restarts: 0, emulatedSlowdown: null },
        latencyMs: { p50: ms, p95: ms, max: ms, mean: ms },
        memory: { rssBytes: 2 ** 26, modelBytes: 2 ** 20 },
      });
    const settled = (await proposals()).length;
    for (let sent = 0; sent < 4; sent++) await window();
    const { windows } = await server.until<{ windows: unknown[] }>(
      `/api/v1/devices/${device.id}/telemetry`,
      (page) => page.windows.length === 4,
    );
    expect(windows).toHaveLength(4);
    // The loop has looked at these four when a device that came later is planned.
    const later = await ScriptedDevice.enrol(server, 'later', { site: 'slow' });
    scripted.push(later);
    await later.connect(proportionalProfile());
    await runs(later.id, best.candidateId);
    expect((await proposals()).length).toBe(settled + 1);
    expect((await proposals())[0]!.causes).toMatchObject([{ deviceId: later.id, cause: 'new' }]);

    await window();
    const found = await server.until<{ proposals: ProposalView[] }>('/api/v1/proposals', (page) =>
      page.proposals.some(({ causes }) => causes.some(({ cause }) => cause === 'latency')),
    );
    const [newest] = found.proposals;
    expect(newest!.causes).toMatchObject([
      { deviceId: device.id, cause: 'latency', from: best.candidateId },
    ]);
    await runs(device.id, newest!.causes[0]!.to!);

    // What an alert is about goes from those that still have it, to another variant that fits.
    await server.ok('POST', '/api/v1/alert-rules', {
      ...{ name: 'worse', metric: 'accuracy', raise: 0.5, clear: 0.6, minimum: 10 },
      ...{ forSeconds: 0, windowSeconds: 3600, releaseId, actions: { planAgain: true } },
    });
    const fast = best.latencyMs.predicted;
    await window(later, fast, { labelled: 50, correct: 5 });
    const { proposals: asked } = await server.until<{ proposals: ProposalView[] }>(
      '/api/v1/proposals',
      (page) => page.proposals.some(({ causes }) => causes.some(({ cause }) => cause === 'alert')),
    );
    const [{ cause, deviceId, from, to, why }] = asked[0]!.causes as [ProposalView['causes'][0]];
    expect({ cause, deviceId, from }).toEqual({
      ...{ cause: 'alert', deviceId: later.id, from: best.candidateId },
    });
    expect(why).toContain('accuracy is 0.1');
    await runs(later.id, to!);
  });

  it('re-plans a real agent whose runs take at least twice as long as predicted, after five windows', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-slow-'));
    const file = join(folder, 'run-ms');
    const input = join(folder, 'input.npz');
    writeFileSync(input, smallFiles().evaluation);
    const often = ['--inference-interval-ms', '10', '--telemetry-interval-ms', '500'];
    const module = fileURLToPath(new URL('./slow-runtime.mjs', import.meta.url));
    agents.push(
      await AgentProcess.start(
        server,
        'strained',
        ['--input', input, ...often],
        { site: 'strained' },
        {
          ...{ module, env: { ESPALIER_RUN_MS_FILE: file } },
        },
      ),
    );
    const { devices } = await server.until<{ devices: { id: string; state: string }[] }>(
      '/api/v1/devices?selector=site%3Dstrained',
      (page) => page.devices[0]?.state === 'ready',
    );
    const id = devices[0]!.id;
    const plan = await server.ok<PlanView>('POST', '/api/v1/plans', {
      ...{ modelId, selector: 'site=strained' },
    });
    const { options } = (
      await server.ok<PlanPreview>('POST', '/api/v1/plans/preview', {
        ...{ modelId, selector: 'site=strained' },
      })
    ).assignments[0]!;
    const best = options.find(({ excludedBy }) => excludedBy === null)!;
    const { predicted, high } = best.latencyMs;
    await setBudget(id, { latencyP95Ms: 1.5 * high });
    writeFileSync(file, String(Math.max(2 * predicted, 1.1 * high)));
    const releaseId = await releaseAll([plan.id]);
    await server.ok('POST', '/api/v1/policies', {
      ...{ releaseId, selector: 'site=strained', push: true, rollout: ROLLOUT },
    });

    const { proposals: found } = await server.until<{ proposals: ProposalView[] }>(
      '/api/v1/proposals',
      (page) =>
        page.proposals.some(({ causes }) =>
          causes.some(({ cause, deviceId }) => cause === 'latency' && deviceId === id),
        ),
    );
    const replanned = found.find(({ causes }) => causes[0]!.cause === 'latency')!;
    expect(replanned.causes).toMatchObject([{ deviceId: id, from: best.candidateId }]);
    const { windows } = await server.ok<{ windows: Telemetry[] }>(
      'GET',
      `/api/v1/devices/${id}/telemetry`,
    );
    const before = windows.filter(
      ({ running, to }) => running?.variantId === best.candidateId && to <= replanned.createdAt,
    );
    expect(before.length).toBeGreaterThanOrEqual(5);
    expect(before.reduce((sum, { inferences }) => sum + inferences, 0)).toBeGreaterThanOrEqual(100);
    rmSync(folder, { recursive: true });
  });

  it('plans by the budget of the fleet, of labels and of the device, the nearest first', async () => {
    const put = (selector: string, budget: Budget): Promise<unknown> =>
      server.ok('PUT', '/api/v1/budgets', { selector, budget });
    const budgets = async (): Promise<Budget[]> => {
      const preview = await server.ok<PlanPreview>('POST', '/api/v1/plans/preview', {
        modelId,
        selector: 'site=layered',
      });
      return preview.assignments.map(({ budget }) => budget);
    };
    const device = await ScriptedDevice.enrol(server, 'layered', { site: 'layered' });
    scripted.push(device);
    await device.connect(profileOf());
    await server.until<{ state: string }>(
      `/api/v1/devices/${device.id}`,
      (d) => d.state === 'ready',
    );
    await put('', { latencyP95Ms: 900, peakRamBytes: 2 ** 28, soft: ['peakRamBytes'] });
    await put('site=layered', { latencyP95Ms: 800 });
    await setBudget(device.id, { transferBytes: 2 ** 24 });
    expect(await budgets()).toEqual([
      {
        ...{ latencyP95Ms: 800, peakRamBytes: 2 ** 28, transferBytes: 2 ** 24 },
        soft: ['peakRamBytes'],
      },
    ]);
    await put('', {});
    await put('site=layered', {});
    expect(await budgets()).toEqual([{ transferBytes: 2 ** 24 }]);
  });
});

/** A device whose kernels take as long as they have multiply-accumulates. */
function proportionalProfile(): ReturnType<typeof profileOf> {
  return {
    ...profileOf(),
    kernels: KERNELS.flatMap(({ id, op, precisions, cin, cout, size, width, kernel, group }) =>
      precisions.map((precision) => {
        const weighted = op === 'conv' || op === 'gemm' || op === 'block';
        const macs = weighted ? (cin / group) * cout * kernel ** 2 * size * width : 0;
        return {
          id,
          precision,
          threads: 1,
          medianMs: 0.0005 + macs * 1e-3,
          spread: 0.02,
          runs: 50,
        };
      }),
    ),
  };
}
