/** Who may join the broker and what it may do there, tried on our own broker and on Mosquitto. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { deviceFilter, downTopic, upTopic } from '@espalier/protocol';
import { generateKeyPair, signRenewal, TrustError, verifyMembership } from '@espalier/trust';
import { connectAsync, type MqttClient } from 'mqtt';
import { AgentProcess } from './agent-process.js';
import { hasMosquitto, MosquittoProcess } from './mosquitto-process.js';
import { profileOf, ScriptedDevice } from './scripted-device.js';
import { ServerProcess } from './server-process.js';

jest.setTimeout(300_000);

const happens = (client: MqttClient, event: 'close' | 'message'): Promise<void> =>
  new Promise((resolve) => client.once(event, () => resolve()));

const CUT_WITHIN_MS = 10_000;
const CERTIFICATE_SECONDS = 15;

if (!hasMosquitto) process.stderr.write('Mosquitto is not installed: its attacks are skipped.\n');

/** Brings up a server and its broker. */
async function site(kind: 'our own broker' | 'Mosquitto') {
  if (kind === 'our own broker') {
    const server = await ServerProcess.start();
    return { server, stop: () => server.dispose() };
  }
  const mosquitto = await MosquittoProcess.reserve();
  const server = await ServerProcess.start(mosquitto.environment);
  await mosquitto.start(server.dataDir);
  await server.until('/api/v1/devices', () => server.log.includes('connected to the broker'));
  return {
    server,
    stop: async () => {
      await server.dispose();
      await mosquitto.stop();
    },
  };
}

const brokers = ['our own broker', ...(hasMosquitto ? ['Mosquitto' as const] : [])] as const;

describe.each(brokers)('on %s', (kind) => {
  const own = kind === 'our own broker';
  let server: ServerProcess;
  let stop: () => Promise<void>;
  let victim: ScriptedDevice;
  let attacker: ScriptedDevice;
  const clients: MqttClient[] = [];

  const joined = async (device: ScriptedDevice, options = {}): Promise<MqttClient> => {
    const { brokerUrl } = device.membership;
    const login = { ...device.login, reconnectPeriod: 0, ...options };
    const client = await connectAsync(brokerUrl, login, false);
    clients.push(client);
    client.on('error', () => undefined);
    return client;
  };
  const logged = (code: string): Promise<unknown> =>
    server.until('/api/v1/devices', () => server.log.includes(`"code":"${code}"`));

  beforeAll(async () => {
    ({ server, stop } = await site(kind));
    victim = await ScriptedDevice.enrol(server, 'victim');
    attacker = await ScriptedDevice.enrol(server, 'attacker');
    await victim.connect(profileOf());
    await server.until<{ state: string }>(
      `/api/v1/devices/${victim.id}`,
      ({ state }) => state === 'ready',
    );
  });

  afterAll(async () => {
    await Promise.all(clients.map((client) => client.endAsync(true)));
    await victim?.disconnect();
    await stop?.();
  });

  it('a device cannot speak as another, nor to another', async () => {
    const client = await joined(attacker);
    const before = await server.ok<object>('GET', `/api/v1/devices/${victim.id}`);
    const { measures } = victim;
    await client.publishAsync(upTopic(victim.id, 'hello'), Buffer.from('{}'), { qos: 1 });
    await client.publishAsync(upTopic(victim.id, 'report'), Buffer.from('forged'), { qos: 1 });
    await client.publishAsync(downTopic(victim.id, 'measure'), Buffer.from('forged'), { qos: 1 });
    // What the server says to the victim afterwards arrives alone, and last.
    await server.ok('POST', `/api/v1/devices/${victim.id}/measure`);
    await victim.until(() => victim.measures > measures);
    expect(victim.measures).toBe(measures + 1);
    expect(await server.ok<object>('GET', `/api/v1/devices/${victim.id}`)).toEqual(before);
    expect(server.log).not.toMatch(/message (refused|not taken)/);
    if (own) await logged('BROKER_PUBLISH_FORBIDDEN');
    await client.endAsync(true);
  });

  it('a device hears nothing of another, by whatever filter', async () => {
    const client = await joined(attacker);
    const heard: string[] = [];
    client.on('message', (topic) => heard.push(topic));
    for (const filter of ['#', '+/#', 'espalier/#', deviceFilter(victim.id), deviceFilter('+')]) {
      // Mosquitto grants them, and lets nothing through.
      await client.subscribeAsync(filter, { qos: 1 }).catch(() => undefined);
    }
    await client.subscribeAsync(deviceFilter(attacker.id), { qos: 1 });
    const { measures } = victim;
    await server.ok('POST', `/api/v1/devices/${victim.id}/measure`);
    await victim.until(() => victim.measures > measures);
    await server.ok('POST', `/api/v1/devices/${attacker.id}/measure`);
    while (!heard.includes(downTopic(attacker.id, 'measure'))) await happens(client, 'message');
    expect(new Set(heard)).toEqual(new Set([downTopic(attacker.id, 'measure')]));
    if (own) await logged('BROKER_SUBSCRIBE_FORBIDDEN');
    await client.endAsync(true);
  });

  it('nobody joins under another’s id, or without a certificate of the authority', async () => {
    const { brokerUrl, authorities } = victim.membership;
    const anonymous = { ca: authorities, clientId: attacker.id, reconnectPeriod: 0 };
    await expect(connectAsync(brokerUrl, anonymous, false)).rejects.toThrow();
    const stillThere = victim.acks.length;
    // Our broker refuses it; Mosquitto goes by the certificate, whatever id is said.
    await joined(attacker, { clientId: victim.id }).then(
      (client) => client.endAsync(true),
      () => undefined,
    );
    const id = await victim.say('profile', { profile: profileOf(300) });
    await victim.until(() => victim.acks.includes(id));
    expect(victim.acks.length).toBeGreaterThan(stillThere);
    if (own) await logged('BROKER_OTHER_IDENTITY');
  });

  it('a revoked device is cut within ten seconds, has no effect, and does not come back', async () => {
    const client = await joined(attacker);
    await client.subscribeAsync(deviceFilter(attacker.id), { qos: 1 });
    const closed = happens(client, 'close');
    const started = performance.now();
    await server.ok('POST', `/api/v1/devices/${attacker.id}/revoke`, {});
    await closed;
    expect(performance.now() - started).toBeLessThan(CUT_WITHIN_MS);
    await logged('DEVICE_REVOKED');
    if (own) await logged('BROKER_REVOKED');
    await expect(joined(attacker)).rejects.toThrow();

    const request = signRenewal(attacker.id, attacker.key, Date.now());
    const path = `/api/v1/devices/${attacker.id}/certificates`;
    expect(await server.call('POST', path, { request })).toMatchObject({
      status: 403,
      body: { code: 'DEVICE_REVOKED' },
    });
    expect(await server.ok('GET', `/api/v1/devices/${attacker.id}`)).toMatchObject({
      revokedAt: expect.any(String),
    });
    const id = await victim.say('profile', { profile: profileOf(310) });
    await victim.until(() => victim.acks.includes(id));
  });

  it('a revoked device stays out when server and broker start again', async () => {
    if (!own) return;
    await server.end('SIGTERM');
    await server.launch({ BROKER_PORT: new URL(victim.membership.brokerUrl).port });
    await expect(joined(attacker)).rejects.toThrow();
    await logged('BROKER_TLS');
    const id = await victim.say('profile', { profile: profileOf(320) });
    await victim.until(() => victim.acks.includes(id));
  });
});

describe('certificates', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    const days = String(CERTIFICATE_SECONDS / 86_400);
    server = await ServerProcess.start({ CERTIFICATE_DAYS: days });
  });
  afterAll(() => server.dispose());

  it('are renewed by the agent before they end, and the new one joins', async () => {
    const agent = await AgentProcess.start(server, 'renewing');
    try {
      await agent.says('certificate renewed', 120);
      // The connection made with the first one ends with it; the agent comes back with another.
      await server.until('/api/v1/devices', () => server.log.includes('"BROKER_EXPIRED"'));
      const connections = () => agent.log.split('"msg":"connected"').length - 1;
      await server.until('/api/v1/devices', () => connections() >= 2);
      expect(readdirSync(agent.folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      for (const secret of ['device-key.pem', 'identity.json']) {
        expect(statSync(join(agent.folder, secret)).mode & 0o777).toBe(0o600);
      }
    } finally {
      await agent.stop();
    }
  });

  it('are given for a request that the device’s own key signed, and no other', async () => {
    const device = await ScriptedDevice.enrol(server, 'asking');
    const other = await ScriptedDevice.enrol(server, 'other');
    const path = `/api/v1/devices/${device.id}/certificates`;
    const ask = (request: object) => server.call('POST', path, { request });
    const now = Date.now();
    const refusals: [object, string][] = [
      [signRenewal(device.id, generateKeyPair(), now), 'TRUST_THRESHOLD'],
      [signRenewal(other.id, other.key, now), 'TRUST_THRESHOLD'],
      [signRenewal(other.id, device.key, now), 'TRUST_PROOF'],
      [signRenewal(device.id, device.key, now - 2 * 86_400_000), 'TRUST_EXPIRED'],
    ];
    for (const [request, code] of refusals) {
      expect(await ask(request)).toMatchObject({ status: 403, body: { code } });
    }
    const given = await ask(signRenewal(device.id, device.key, now));
    expect(given.status).toBe(201);
    const { membership } = given.body as unknown as { membership: typeof device.enrolled.root };
    const own = { id: device.id, publicKey: device.key.publicKey };
    expect(verifyMembership(membership, device.root, own).deviceId).toBe(device.id);
    const foreign = { id: other.id, publicKey: other.key.publicKey };
    expect(() => verifyMembership(membership, device.root, foreign)).toThrow(TrustError);
  });

  it('are kept with the authority’s key where only the server can read them', () => {
    const keys = join(server.dataDir, 'keys');
    for (const name of readdirSync(keys)) {
      expect([name, statSync(join(keys, name)).mode & 0o777]).toEqual([name, 0o600]);
    }
    expect(readdirSync(keys)).toContain('ca-key.pem');
  });
});
