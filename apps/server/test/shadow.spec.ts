import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { jest } from '@jest/globals';
import { openDataset, prepareBatch } from '@espalier/dataset';
import { floatTensor, openSession, toFloat32 } from '@espalier/onnx';
import type { AgreementView, ShadowSample } from '@espalier/protocol';
import type { ShadowSamplePage } from '../src/shadow/schemas.js';
import { AgentProcess } from './agent-process.js';
import { profileOf, ScriptedDevice } from './scripted-device.js';
import { ServerProcess } from './server-process.js';
import { smallFiles, uploadSmall } from './small-model.js';
import { installSmallest, makeCandidates, prepareRollout } from './walkthrough.js';

jest.setTimeout(300_000);

const EVERYTHING = { share: 1, perHour: 3600 };
const SAMPLES = 15;

/** Class that a model file gives each input of the small model's data, by the input's hash. */
async function classesOf(model: Uint8Array): Promise<Map<string, number>> {
  const dataset = openDataset(smallFiles().evaluation);
  const session = await openSession(model);
  const classes = new Map<string, number>();
  for (let at = 0; at < dataset.count; at += 1) {
    const { dims, data } = prepareBatch(dataset, undefined, [at], ['N', 16]);
    const outputs = await session.run({ x: floatTensor(dims, data) });
    const scores = toFloat32(outputs['y']!);
    const hash = createHash('sha256').update(new Uint8Array(data.buffer)).digest('hex');
    classes.set(hash, scores.indexOf(Math.max(...scores)));
  }
  await session.release();
  return classes;
}

describe('shadow samples', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-shadow-'));
  const input = join(folder, 'input.npz');
  const armed = join(folder, 'armed');
  let server: ServerProcess;
  let modelId: string;
  let again: Record<string, string>;
  const agents: AgentProcess[] = [];

  beforeAll(async () => {
    writeFileSync(input, smallFiles().evaluation);
    server = await ServerProcess.start({
      NODE_OPTIONS: `--import ${new URL('./unacknowledged.mjs', import.meta.url).href}`,
      ESPALIER_TEST_ARMED: armed,
    });
    again = { BROKER_PORT: await server.brokerPort() };
    modelId = (await uploadSmall(server)).id;
    await makeCandidates(server, modelId, { points: 3, precisions: ['fp32'] });
  });
  afterAll(async () => {
    for (const agent of agents) await agent.stop();
    await server.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  /** All samples of one device's series and its counts, once all are judged and counted. */
  const settled = async (query: string, filter = '') => {
    for (const deadline = Date.now() + 120_000; ;) {
      const all = await server.ok<ShadowSamplePage>(
        'GET',
        `/api/v1/telemetry/shadow-samples?limit=1000&${filter}`,
      );
      const { series } = await server.ok<AgreementView>(
        'GET',
        `/api/v1/telemetry/agreement?${query}`,
      );
      const [only, another] = series;
      const counted = (only?.total.judged ?? 0) + (only?.total.failed ?? 0);
      if (only && !another && counted === all.samples.length) return { all, ...only };
      if (Date.now() > deadline) throw new Error(JSON.stringify(series));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const idOf = async (name: string): Promise<string> => {
    const { devices } = await server.until<{
      devices: { id: string; name: string; state: string }[];
    }>('/api/v1/devices', (page) =>
      page.devices.some((one) => one.name === name && one.state === 'ready'),
    );
    return devices.find((one) => one.name === name)!.id;
  };

  it('of an agent that allows it are judged as ONNX Runtime judges them; of one that does not none comes', async () => {
    for (const [name, flags] of [
      ['open', ['--allow-shadow-samples']],
      ['shut', []],
    ] as const) {
      agents.push(
        await AgentProcess.start(server, name, [
          ...['--input', input, '--inference-interval-ms', '20'],
          ...['--telemetry-interval-ms', '500', ...flags],
        ]),
      );
    }
    const [open, shut] = [await idOf('open'), await idOf('shut')];
    await installSmallest(server, modelId, '', [open, shut]);
    expect(await server.ok('GET', `/api/v1/models/${modelId}/shadow`)).toMatchObject({
      policy: null,
    });
    await server.ok('PUT', `/api/v1/models/${modelId}/shadow`, EVERYTHING);
    const { samples } = await server.until<ShadowSamplePage>(
      '/api/v1/telemetry/shadow-samples?state=judged',
      (page) => page.samples.length >= SAMPLES,
    );
    const rule = { metric: 'agreement', raise: 1, clear: 1, minimum: SAMPLES };
    await server.ok('POST', '/api/v1/alert-rules', {
      ...{ ...rule, name: 'agreement', forSeconds: 0, windowSeconds: 3600 },
    });
    const { alerts } = await server.until<{ alerts: { value: number; variantId: string }[] }>(
      '/api/v1/alerts',
      (page) => page.alerts.length > 0,
    );
    expect(alerts[0]).toMatchObject({ metric: 'agreement', variantId: samples[0]!.variantId });
    expect(alerts[0]!.value).toBeLessThanOrEqual(1);
    const metrics = await (await server.fetch('/metrics')).text();
    expect(metrics).toMatch(/^espalier_shadow_agreement\{model="small-1",variant="v-.*"\} [01]/m);
    await agents[1]!.says('this device does not allow them');
    await server.ok('DELETE', `/api/v1/models/${modelId}/shadow`);

    const { running } = await server.ok<{ running: { modelSha256: string } }>(
      'GET',
      `/api/v1/devices/${open}`,
    );
    const dense = await classesOf(smallFiles().model);
    const variant = await classesOf(
      readFileSync(join(server.dataDir, 'blobs', running.modelSha256)),
    );
    for (const sample of samples) {
      expect(sample.deviceId).toBe(open);
      expect(sample.device!.predicted).toBe(variant.get(sample.inputSha256!));
      expect(sample.dense!.predicted).toBe(dense.get(sample.inputSha256!));
    }
    // Those that came since are judged too; the counts are those of the single samples.
    const { all, total } = await settled(`by=device&modelId=${modelId}`);
    const agreed = all.samples.filter(
      ({ inputSha256 }) => dense.get(inputSha256!) === variant.get(inputSha256!),
    );
    expect(total).toMatchObject({ judged: all.samples.length, failed: 0, devices: 1 });
    expect(total.agreement).toMatchObject({
      classified: all.samples.length,
      agreed: agreed.length,
      value: agreed.length / all.samples.length,
    });
    const [low, high] = total.agreement!.interval;
    expect(low).toBeLessThanOrEqual(total.agreement!.value);
    expect(high).toBeGreaterThanOrEqual(total.agreement!.value);
  });

  describe('of a device that speaks for itself', () => {
    let device: ScriptedDevice;
    let other: ScriptedDevice;
    beforeAll(async () => {
      for (const agent of agents.splice(0)) await agent.stop();
      device = await ScriptedDevice.enrol(server, 'script', { site: 'script' });
      other = await ScriptedDevice.enrol(server, 'other', { site: 'script' });
      for (const one of [device, other]) await one.connect(profileOf());
      other.behaviour = () => 'silent';
      await server.until<{ state: string }>(
        `/api/v1/devices/${device.id}`,
        ({ state }) => state === 'ready',
      );
      const budget = { transferBytes: 1 };
      await server.ok('PATCH', `/api/v1/devices/${other.id}`, { budget });
      const { id } = await prepareRollout(server, modelId, 'site=script');
      await server.ok('POST', `/api/v1/rollouts/${id}/start`, {});
      await device.until(() => device.running !== null);
    });
    afterAll(async () => {
      for (const one of [device, other]) await one.disconnect();
    });

    const sample = (change: Partial<ShadowSample> = {}): ShadowSample => ({
      running: device.running!,
      takenAt: new Date().toISOString(),
      input: {
        ...{ dtype: 'float32', dims: [16], encoding: 'raw' },
        data: Buffer.from(new Float32Array(16).buffer).toString('base64'),
      },
      output: { kind: 'class', predicted: 0, confidence: 1 },
      ...change,
    });
    /** Says it, and again, until it is acknowledged. */
    const said = async (by: ScriptedDevice, body: ShadowSample, id?: string): Promise<string> => {
      const given = await by.say('shadow', body, id);
      let at = Date.now();
      await by.until(() => {
        if (Date.now() - at > 500) {
          at = Date.now();
          void by.say('shadow', body, given);
        }
        return by.acks.includes(given);
      });
      return given;
    };
    const samplesOf = async ({ id }: ScriptedDevice) =>
      (await server.ok<ShadowSamplePage>('GET', `/api/v1/telemetry/shadow-samples?deviceId=${id}`))
        .samples;

    it('are counted once when the server is killed between commit and acknowledgement', async () => {
      await server.ok('PUT', `/api/v1/models/${modelId}/shadow`, {
        ...EVERYTHING,
        selector: 'site=script',
      });
      await device.until(() => device.orders.length > 0);
      expect(device.orders.slice(-1)).toEqual([
        {
          releaseId: device.running!.releaseId,
          sampling: expect.objectContaining(EVERYTHING),
        },
      ]);
      writeFileSync(armed, '');
      const body = sample();
      const id = await device.say('shadow', body);
      await server.exited();
      expect(device.acks).not.toContain(id);
      await server.launch(again);
      await said(device, body, id);
      await server.until<{ waiting: number }>(
        `/api/v1/models/${modelId}/shadow`,
        ({ waiting }) => waiting === 0,
      );
      expect(await samplesOf(device)).toHaveLength(1);
      const { total } = await settled(`by=device&deviceId=${device.id}`, `deviceId=${device.id}`);
      expect(total).toMatchObject({ judged: 1, refused: 0 });
      const entry = { actor: 'admin', outcome: 'done', object: `/api/v1/models/${modelId}/shadow` };
      expect(await server.ok('GET', '/api/v1/audit?action=PUT%20/api/v1/models')).toMatchObject({
        entries: [entry, entry],
      });
    });

    it('are refused, each with its code, when they are not what was asked for', async () => {
      const hostile: [string, ScriptedDevice, ShadowSample][] = [
        ['SHADOW_NOT_GIVEN', other, sample()],
        [
          'SHADOW_UNKNOWN_MODEL',
          device,
          sample({ running: { ...device.running!, modelSha256: 'f'.repeat(64) } }),
        ],
        ['SHADOW_TOO_OLD', device, sample({ takenAt: '2001-01-01T00:00:00Z' })],
      ];
      for (const [code, by, body] of hostile) {
        await said(by, body);
        expect(server.log).toContain(code);
      }
      expect(await samplesOf(device)).toHaveLength(1);
      expect(await samplesOf(other)).toHaveLength(0);
    });

    it('that do not fit the dense model fail, each with its code, and the others are judged', async () => {
      const bomb = deflateRawSync(Buffer.alloc(50_000_000)).toString('base64');
      const { input: own, output } = sample();
      const bodies: [string | null, ShadowSample][] = [
        ['SHADOW_SHAPE', sample({ input: { ...own, dims: [4, 4] } })],
        ['SHADOW_INPUT', sample({ input: { ...own, data: 'AAAA' } })],
        ['SHADOW_INPUT', sample({ input: { ...own, encoding: 'shuffle-deflate', data: bomb } })],
        ['SHADOW_OUTPUT', sample({ output: { ...output, predicted: 99 } as never })],
        ['SHADOW_OUTPUT', sample({ output: { kind: 'values', length: 4, data: 'AAAAAA==' } })],
        [null, sample()],
      ];
      for (const [, body] of bodies) await said(device, body);
      await server.until<{ waiting: number }>(
        `/api/v1/models/${modelId}/shadow`,
        ({ waiting }) => waiting === 0,
      );
      const samples = (await samplesOf(device)).slice(0, bodies.length).reverse();
      expect(samples.map(({ failure }) => failure?.split(':')[0] ?? null)).toEqual(
        bodies.map(([code]) => code),
      );
    });

    it('are not taken any more once the policy is gone, and the device is told', async () => {
      await server.ok('DELETE', `/api/v1/models/${modelId}/shadow`);
      await device.until(() => device.orders.at(-1)?.sampling === null);
      const told = device.orders.length;
      const before = (await samplesOf(device)).length;
      await said(device, sample());
      await device.until(() => device.orders.length > told);
      await device.until(() => server.log.includes('SHADOW_NOT_ASKED'));
      expect(await samplesOf(device)).toHaveLength(before);
    });
  });
});
