import { createHash, randomUUID } from 'node:crypto';
import { enrolRequest, generateKeyPair } from '@espalier/trust';
import { jest } from '@jest/globals';
import { connectAsync, type IClientOptions } from 'mqtt';
import { profileOf, ScriptedDevice } from './scripted-device.js';
import { ServerProcess } from './server-process.js';

jest.setTimeout(300_000);

describe('the fleet', () => {
  let server: ServerProcess;
  const devices: ScriptedDevice[] = [];

  beforeAll(async () => {
    server = await ServerProcess.start();
  });
  afterAll(async () => {
    for (const device of devices) await device.disconnect();
    await server.dispose();
  });

  const enrolment = (token: string): object =>
    enrolRequest({ token, name: 'Camera 7', labels: {} }, generateKeyPair());
  const token = async (request: object = {}): Promise<string> =>
    (await server.ok<{ token: string }>('POST', '/api/v1/claim-tokens', request)).token;
  const connected = async (name: string, labels = {}): Promise<ScriptedDevice> => {
    const device = await ScriptedDevice.enrol(server, name, labels);
    devices.push(device);
    await device.connect(profileOf());
    await server.until<{ state: string }>(
      `/api/v1/devices/${device.id}`,
      (d) => d.state === 'ready',
    );
    return device;
  };

  it('lets a device in with a claim token once, and keeps the token as a hash alone', async () => {
    const text = await token({ labels: { site: 'north' } });
    const enrolled = await server.ok<{ deviceId: string }>(
      'POST',
      '/api/v1/enrolments',
      enrolment(text),
    );
    expect(enrolled.deviceId).toMatch(/^camera-7-[0-9a-f]{8}$/);
    const device = await server.ok('GET', `/api/v1/devices/${enrolled.deviceId}`);
    expect(device).toMatchObject({ state: 'enrolled', labels: { site: 'north' }, running: null });
    const again = await server.call('POST', '/api/v1/enrolments', enrolment(text));
    expect(again).toMatchObject({ status: 403, body: { code: 'CLAIM_TOKEN_REFUSED' } });
    expect(JSON.stringify(again.body)).not.toContain(text.split('.')[2]);
  });

  it('refuses tokens that are expired, altered, unknown or no tokens, and says which', async () => {
    const expiring = await token({ expiresInSeconds: 1 });
    const [v, id, , root] = (await token()).split('.');
    const forged = [v, id, 'A'.repeat(32), root].join('.');
    for (const text of [forged, ['esp1', 'nosuchid0', 'A'.repeat(32), root].join('.')]) {
      const answer = await server.call('POST', '/api/v1/enrolments', enrolment(text));
      expect(answer).toMatchObject({ status: 403, body: { code: 'CLAIM_TOKEN_REFUSED' } });
    }
    const malformed = await server.call('POST', '/api/v1/enrolments', enrolment('x'.repeat(40)));
    expect(malformed).toMatchObject({ status: 403, body: { code: 'TRUST_CLAIM_TOKEN' } });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const late = await server.call('POST', '/api/v1/enrolments', enrolment(expiring));
    expect(late).toMatchObject({ status: 403, body: { code: 'CLAIM_TOKEN_REFUSED' } });
  });

  it('keeps out of the broker whoever has no certificate of its own', async () => {
    const device = await connected('insider');
    const { brokerUrl, authorities } = device.membership;
    const join = (options: IClientOptions) =>
      connectAsync(brokerUrl, { ...options, reconnectPeriod: 0 }, false);
    await expect(join({ clientId: 'stranger-1', ca: authorities })).rejects.toThrow();
    await expect(join({ ...device.login, clientId: 'stranger-1' })).rejects.toThrow();
  });

  it('acts once on a message that comes twice, and acknowledges it both times', async () => {
    const device = await connected('repeater');
    const id = randomUUID();
    await device.say('profile', { profile: profileOf(256) }, id);
    await device.say('profile', { profile: profileOf(256) }, id);
    await device.until(() => device.acks.filter((of) => of === id).length >= 2);
    const { profiles } = await server.ok<{ profiles: object[] }>(
      'GET',
      `/api/v1/devices/${device.id}/profiles`,
    );
    expect(profiles).toHaveLength(2);
  });

  it('drops what is no message, is signed by another key, or is too large, and goes on', async () => {
    const device = await connected('rude');
    const target = {
      type: 'target' as const,
      deviceId: device.id,
      generation: 1,
      epoch: 1,
      rolloutId: null,
      releaseId: 'none',
      variantId: 'none',
      modelSha256: 'a'.repeat(64),
      issued: new Date().toISOString(),
      expires: new Date().toISOString(),
    };
    await device.raw('report', Buffer.from('{"v":1'));
    await device.raw('telemetry', Buffer.from(JSON.stringify({ v: 1, id: 'x', body: [] })));
    await device.raw('profile', Buffer.alloc(257 * 1024, 0x20));
    await device.report(target, 'active', 'a'.repeat(64), generateKeyPair());
    const good = await device.say('profile', { profile: profileOf(300) });
    await device.until(() => device.acks.includes(good));
    expect(await server.ok('GET', `/api/v1/devices/${device.id}`)).toMatchObject({
      state: 'ready',
      running: null,
    });
  });

  it('finds devices by labels and state, page by page', async () => {
    for (const [name, line] of [
      ['sel-a', '1'],
      ['sel-b', '1'],
      ['sel-c', '2'],
    ] as const) {
      await connected(name, { hall: 'east', line });
    }
    const list = (query: string) =>
      server.ok<{ devices: { name: string }[]; next: string | null }>(
        'GET',
        `/api/v1/devices?${query}`,
      );
    const names = async (query: string) => (await list(query)).devices.map(({ name }) => name);
    expect(await names('selector=hall=east')).toHaveLength(3);
    expect((await names('selector=hall=east,line=1')).sort()).toEqual(['sel-a', 'sel-b']);
    expect(await names('selector=hall=west')).toEqual([]);
    expect(await names('selector=hall=east&state=failed')).toEqual([]);
    const first = await list('selector=hall=east&limit=2');
    const second = await list(`selector=hall=east&limit=2&cursor=${first.next ?? ''}`);
    expect([first.devices.length, second.devices.length, second.next]).toEqual([2, 1, null]);
    expect(await server.call('GET', '/api/v1/devices?selector=nonsense')).toMatchObject({
      status: 400,
      body: { code: 'REQUEST_INVALID' },
    });
  });

  it('takes a name, labels and a budget, and refuses a budget that is misspelt', async () => {
    const device = await connected('patched');
    const path = `/api/v1/devices/${device.id}`;
    const budget = { latencyP95Ms: 12, peakRamBytes: 1_000_000 };
    expect(await server.ok('PATCH', path, { name: 'New', budget })).toMatchObject({
      name: 'New',
      budget,
    });
    const wrong = await server.call('PATCH', path, { budget: { latencyP59Ms: 12 } });
    expect(wrong).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });
    expect(await server.ok('GET', path)).toMatchObject({ budget });
  });

  it('asks a device to measure itself, and keeps its telemetry', async () => {
    const device = await connected('measured');
    await server.ok('POST', `/api/v1/devices/${device.id}/measure`);
    await device.until(() => device.measures === 1);
    const id = await device.say('telemetry', {
      generation: 1,
      running: { releaseId: 'r', variantId: 'v', modelSha256: createHash('sha256').digest('hex') },
      from: '2026-01-01T00:00:00.000Z',
      to: '2026-01-01T00:00:10.000Z',
      inferences: 50,
      errors: 0,
      latencyMs: { p50: 1, p95: 2, max: 3, mean: 1.2 },
      memory: { rssBytes: 1, modelBytes: 1 },
      accuracy: { labelled: 50, correct: 45 },
      restarts: 0,
      emulatedSlowdown: null,
    });
    await device.until(() => device.acks.includes(id));
    const { windows } = await server.ok<{ windows: object[] }>(
      'GET',
      `/api/v1/devices/${device.id}/telemetry`,
    );
    expect(windows).toEqual([expect.objectContaining({ accuracy: { labelled: 50, correct: 45 } })]);
  });

  it('answers with problem+json and a stable code, whatever is asked', async () => {
    const response = await server.fetch('/api/v1/devices/nobody');
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    const broken = await server.fetch('/api/v1/claim-tokens', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":',
    });
    expect([broken.status, (await broken.json()) as object]).toEqual([
      400,
      expect.objectContaining({ status: 400 }),
    ]);
  });

  it('describes its API, its health and its figures', async () => {
    const document = await server.ok<{ paths: Record<string, object> }>('GET', '/api/docs-json');
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/api/v1/enrolments',
        '/api/v1/devices/{id}',
        '/api/v1/models/{id}/candidates',
        '/api/v1/rollouts/{id}/abort',
      ]),
    );
    expect(await server.ok('GET', '/health')).toEqual({
      status: 'ok',
      database: 'up',
      broker: 'up',
      version: expect.any(String),
    });
    const metrics = await (await server.fetch('/metrics')).text();
    expect(metrics).toMatch(/espalier_devices\{state="ready"\} \d+/);
    expect(metrics).toMatch(/espalier_device_messages_total\{kind="profile",outcome="taken"\} \d+/);
  });

  it('starts its broker again when that dies, and devices are heard again', async () => {
    const device = await connected('survivor');
    const started = [...server.log.matchAll(/"msg":"broker started".*?"pid":(\d+)\}/g)].at(-1);
    process.kill(Number(started?.[1]), 'SIGKILL');
    await server.until<object>('/api/v1/devices', () => server.log.includes('the broker ended'));
    const id = await device.say('profile', { profile: profileOf(123) });
    await device.until(() => device.acks.includes(id));
  });

  it('is taken over, when it stops, by a second server that waited on the same data', async () => {
    const { next, up } = ServerProcess.begin({ DATA_DIR: server.dataDir });
    await server.until<object>('/health', () => next.log.includes('another server is active'));
    expect(next.url).toBe('');
    expect(await server.end('SIGTERM')).toBe(0);
    await up;
    await next.dispose();
  });
});
