/** Talks to the built broker (`npm run build`, which `npm test` does first) over real TLS sockets. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import {
  contentTopic,
  deviceFilter,
  downTopic,
  encodeMessage,
  LIMITS,
  REVOCATIONS_TOPIC,
  SERVER_FILTER,
  SERVER_NAME,
  upTopic,
} from '@espalier/protocol';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { FleetAuthority } from './fleet-authority.js';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

let fleet: FleetAuthority;
let broker: ChildProcess;
let port: number;
const clients: MqttClient[] = [];
let events: { code?: string; clientId?: string; deviceId?: string }[] = [];

async function start(
  extra: Record<string, string> = {},
): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ESPALIER_BROKER_PORT: '0', ...fleet.environment, ...extra },
  });
  createInterface({ input: child.stderr! }).on('line', (line) => {
    if (line.startsWith('{')) events.push(JSON.parse(line) as (typeof events)[number]);
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once('line', resolve);
    child.once('exit', () => reject(new Error(`The broker ended: ${JSON.stringify(events)}`)));
  });
  return { child, port: (JSON.parse(line) as { port: number }).port };
}

/** Waits until the broker has told of something by its code. */
async function event(code: string, of: { clientId?: string; deviceId?: string } = {}) {
  const wanted = expect.objectContaining({ code, ...of });
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    const found = events.find((one) => wanted.asymmetricMatch(one));
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`There was no ${code}: ${JSON.stringify(events)}`);
}

async function connect(login: IClientOptions, at = port): Promise<MqttClient> {
  const client = mqtt.connect({
    protocol: 'mqtts',
    host: '127.0.0.1',
    port: at,
    reconnectPeriod: 0,
    ...login,
  });
  clients.push(client);
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
    client.once('close', () => reject(new Error('closed')));
  });
  client.on('error', () => undefined);
  return client;
}

const device = async (deviceId: string, options: IClientOptions = {}): Promise<MqttClient> =>
  connect({ ...(await fleet.login(deviceId)), ...options });
const server = async (at?: number): Promise<MqttClient> =>
  connect(await fleet.login(SERVER_NAME), at);

const closeOf = (client: MqttClient): Promise<void> =>
  new Promise((resolve) => client.once('close', resolve));

const nextMessage = (client: MqttClient): Promise<{ topic: string; payload: Buffer }> =>
  new Promise((resolve) => client.once('message', (topic, payload) => resolve({ topic, payload })));

beforeAll(async () => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: run npm run build first.`);
  fleet = await FleetAuthority.make();
  ({ child: broker, port } = await start());
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
  events = [];
});

afterAll(async () => {
  if (broker.exitCode === null) {
    broker.kill();
    await once(broker, 'exit');
  }
  fleet.remove();
});

describe('authentication', () => {
  it('lets in who shows a certificate of the authority under its own name', async () => {
    expect((await device('cam-1')).connected).toBe(true);
    expect((await server()).connected).toBe(true);
  });

  it('refuses no certificate, another authority’s, an ended one, and a broker’s as a client', async () => {
    const stranger = await FleetAuthority.make();
    const { cert, key } = await stranger.login('cam-1');
    stranger.remove();
    const brokers = await fleet.brokerLogin();
    const ca = fleet.authority.pem;
    const ended = await fleet.login('cam-1', -1000);
    for (const login of [{}, { cert, key }, brokers, ended]) {
      await expect(
        connect({ ca, clientId: 'cam-1', ...login } as IClientOptions),
      ).rejects.toThrow();
      await event('BROKER_TLS');
      events = [];
    }
  });

  it('binds client id and user name to the certificate', async () => {
    const login = await fleet.login('cam-1');
    for (const lie of [{ clientId: 'cam-2' }, { username: 'cam-2' }, { clientId: SERVER_NAME }]) {
      await expect(connect({ ...login, ...lie })).rejects.toMatchObject({ code: 5 });
      await event('BROKER_OTHER_IDENTITY');
      events = [];
    }
    await expect(device('No Device')).rejects.toMatchObject({ code: 5 });
    await event('BROKER_NO_IDENTITY', { clientId: 'No Device' });
  });

  it('is itself known by its certificate: a client does not join another', async () => {
    const stranger = await FleetAuthority.make();
    const ca = stranger.authority.pem;
    stranger.remove();
    await expect(device('cam-1', { ca })).rejects.toThrow(/certificate/);
  });

  it('cuts a revoked device at once and keeps it out, its resumed sessions too', async () => {
    const login = await fleet.login('cam-9');
    const options = { host: '127.0.0.1', port, ...login } as ConnectionOptions;
    const early = connectTls(options);
    const [session] = (await once(early, 'session')) as [Buffer];
    early.destroy();

    const revoked = await connect(login);
    const closed = closeOf(revoked);
    const message = encodeMessage(
      { id: 'm1', sentAt: new Date().toISOString(), epoch: 1 },
      { revoked: ['cam-9'] },
    );
    await (await server()).publishAsync(REVOCATIONS_TOPIC, Buffer.from(message), { qos: 1 });
    await closed;
    await event('BROKER_REVOKED', { deviceId: 'cam-9' });
    await expect(connect(login)).rejects.toMatchObject({ code: 5 });
    await event('BROKER_REVOKED', { clientId: 'cam-9' });
    const again = { ...login, session } as IClientOptions;
    await expect(connect(again)).rejects.toMatchObject({ code: 5 });
  });

  it('refuses from its start what the authority’s list of void certificates names', async () => {
    const { login, serial } = await fleet.listed('cam-8');
    const list = join(fleet.folder, 'revoked.pem');
    writeFileSync(list, await fleet.authority.revocationList([serial], Date.now()));
    const other = await start({ ESPALIER_BROKER_REVOKED_FILE: list });
    await expect(connect(login, other.port)).rejects.toThrow();
    await event('BROKER_TLS');
    expect((await connect(await fleet.login('cam-7'), other.port)).connected).toBe(true);
    const gone = once(other.child, 'exit');
    other.child.kill();
    await gone;
  });

  it('cuts a connection whose certificate ends', async () => {
    const brief = await connect(await fleet.login('cam-6', 3000));
    await closeOf(brief);
    await event('BROKER_EXPIRED', { deviceId: 'cam-6' });
  });
});

describe('topic rules', () => {
  it('carry a device’s own messages up and the server’s down, and nobody else’s', async () => {
    const hub = await server();
    await hub.subscribeAsync(SERVER_FILTER, { qos: 1 });
    const [one, two] = [await device('cam-1'), await device('cam-2')];
    const granted = await one.subscribeAsync(deviceFilter('cam-1'), { qos: 1 });
    expect(granted.map(({ qos }) => qos)).toEqual([1]);

    const heard: string[] = [];
    two.on('message', (topic) => heard.push(topic));
    for (const filter of [
      deviceFilter('cam-1'),
      downTopic('cam-1', 'target'),
      '#',
      '+/#',
      SERVER_FILTER,
      REVOCATIONS_TOPIC,
      'espalier/v1/content/+',
    ]) {
      await expect(two.subscribeAsync(filter)).rejects.toThrow();
    }
    await event('BROKER_SUBSCRIBE_FORBIDDEN', { clientId: 'cam-2' });
    await two.subscribeAsync(contentTopic('a'.repeat(64)));

    const up = nextMessage(hub);
    // Forbidden, and still acknowledged: an unacknowledged message would be sent for ever.
    await two.publishAsync(upTopic('cam-1', 'hello'), 'forged', { qos: 1 });
    await two.publishAsync(downTopic('cam-2', 'target'), 'forged', { qos: 1 });
    await two.publishAsync(contentTopic('a'.repeat(64)), 'forged', { qos: 1 });
    await two.publishAsync(REVOCATIONS_TOPIC, 'forged', { qos: 1 });
    await one.publishAsync(upTopic('cam-1', 'hello'), 'hi', { qos: 1 });
    expect((await up).payload.toString()).toBe('hi');
    expect(two.connected).toBe(true);

    const down = nextMessage(one);
    await hub.publishAsync(downTopic('cam-1', 'target'), 'go', { qos: 1 });
    expect((await down).payload.toString()).toBe('go');
    expect(heard).toEqual([]);
  });

  it('keep nothing for later: no retained message, no will, no stored session', async () => {
    const retainer = await device('cam-1');
    await retainer.publishAsync(upTopic('cam-1', 'hello'), 'old', { qos: 1, retain: true });
    const hub = await server();
    await hub.subscribeAsync(SERVER_FILTER, { qos: 1 });
    const up = nextMessage(hub);
    await retainer.publishAsync(upTopic('cam-1', 'hello'), 'new', { qos: 1 });
    expect((await up).payload.toString()).toBe('new');

    const stored = mqtt.connect({
      protocol: 'mqtts',
      host: '127.0.0.1',
      port,
      ...(await fleet.login('cam-2')),
      clean: false,
      reconnectPeriod: 0,
    });
    stored.on('error', () => undefined);
    clients.push(stored);
    await closeOf(stored);
    expect(stored.connected).toBe(false);
  });
});

describe('bounds', () => {
  it('cuts a connection that announces a packet over the limit, before its bytes come', async () => {
    const rude = await device('cam-1');
    const closed = closeOf(rude);
    rude.publish(upTopic('cam-1', 'hello'), Buffer.alloc(LIMITS.controlMessageBytes * 2));
    await closed;
    await event('BROKER_PACKET');
  });

  it('goes on for the others while one subscriber reads nothing', async () => {
    const artifact = 'b'.repeat(64);
    const hub = await server();
    const healthy = await device('cam-1');
    await healthy.subscribeAsync(contentTopic(artifact));
    const stalled = await device('cam-2');
    await stalled.subscribeAsync(contentTopic(artifact));
    (stalled.stream as unknown as TLSSocket).pause();

    const total = 400;
    let received = 0;
    const all = new Promise<void>((resolve) => {
      healthy.on('message', () => {
        received += 1;
        if (received === total) resolve();
      });
    });
    const started = performance.now();
    const chunk = Buffer.alloc(LIMITS.chunkBytes);
    for (let sent = 0; sent < total; sent += 1) {
      await hub.publishAsync(contentTopic(artifact), chunk, { qos: 1 });
    }
    await all;
    // The trap that this guards against froze everybody until the drain timeout, 5 s at the least.
    expect(performance.now() - started).toBeLessThan(4500);
  });
});

describe('life', () => {
  it('says what is wrong with its environment and exits with 2', async () => {
    const child = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], ESPALIER_BROKER_PORT: 'many' },
    });
    let text = '';
    child.stderr.on('data', (data: Buffer) => (text += data.toString()));
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(2);
    expect(text).toContain('BROKER_CONFIGURATION');
    expect(text).toContain('ESPALIER_BROKER_PORT');
    expect(text).toContain('ESPALIER_BROKER_CA_FILE');
  });

  it('ends when the process that started it is gone', async () => {
    const exited = once(broker, 'exit');
    broker.stdin!.end();
    expect(await exited).toEqual([0, null]);
  });
});
