/** Talks to the built broker (`npm run build`, which `npm test` does first) over real sockets. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  contentTopic,
  deviceFilter,
  downTopic,
  encodeMessage,
  LIMITS,
  REVOCATIONS_TOPIC,
  SERVER_FILTER,
  upTopic,
} from '@espalier/protocol';
import { generateKeyPair, issueCredential, publicKeyBase64 } from '@espalier/trust';
import mqtt, { type MqttClient } from 'mqtt';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const SECRET = 'a-secret-of-the-server';
const online = generateKeyPair();
const far = '2100-01-01T00:00:00Z';
const credentialOf = (deviceId: string, issuedAtMs = 1000, expires = far) =>
  issueCredential({ deviceId, issuedAtMs, expires }, online);

let broker: ChildProcess;
let port: number;
const clients: MqttClient[] = [];

async function connect(
  username: string,
  password: string,
  clientId = username,
): Promise<MqttClient> {
  const client = mqtt.connect({
    host: '127.0.0.1',
    port,
    username,
    password,
    clientId,
    reconnectPeriod: 0,
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

const server = () => connect('espalier-server', SECRET, `server-${clients.length}`);

const closeOf = (client: MqttClient): Promise<void> =>
  new Promise((resolve) => client.once('close', resolve));

const nextMessage = (client: MqttClient): Promise<{ topic: string; payload: Buffer }> =>
  new Promise((resolve) => client.once('message', (topic, payload) => resolve({ topic, payload })));

beforeAll(async () => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: run npm run build first.`);
  broker = spawn(process.execPath, [MAIN], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      ...process.env,
      ESPALIER_BROKER_PORT: '0',
      ESPALIER_BROKER_CREDENTIAL_KEY: publicKeyBase64(online),
      ESPALIER_BROKER_SERVER_SECRET: SECRET,
    },
  });
  const [line] = (await once(createInterface({ input: broker.stdout! }), 'line')) as [string];
  port = (JSON.parse(line) as { port: number }).port;
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
});

afterAll(async () => {
  if (broker.exitCode === null) {
    broker.kill();
    await once(broker, 'exit');
  }
});

describe('authentication', () => {
  it('lets a device in with its own credential, and the server with its secret', async () => {
    expect((await connect('cam-1', credentialOf('cam-1'))).connected).toBe(true);
    expect((await server()).connected).toBe(true);
  });

  it('refuses another’s, an expired, a forged and no credential, and a wrong secret', async () => {
    const refusals: [string, string, string?][] = [
      ['cam-2', credentialOf('cam-1')],
      ['cam-1', credentialOf('cam-1'), 'cam-2'],
      ['cam-1', credentialOf('cam-1', 0, '2001-01-01T00:00:00Z')],
      [
        'cam-1',
        issueCredential({ deviceId: 'cam-1', issuedAtMs: 1, expires: far }, generateKeyPair()),
      ],
      ['cam-1', ''],
      ['espalier-server', 'wrong'],
    ];
    for (const [user, password, clientId] of refusals) {
      await expect(connect(user, password, clientId)).rejects.toMatchObject({ code: 5 });
    }
  });

  it('cuts a revoked device and refuses it until it has a newer credential', async () => {
    const device = await connect('cam-9', credentialOf('cam-9', 1000));
    const closed = closeOf(device);
    const message = encodeMessage(
      { id: 'm1', sentAt: new Date().toISOString(), epoch: 1 },
      { revoked: [{ deviceId: 'cam-9', issuedBeforeMs: 2000 }] },
    );
    await (await server()).publishAsync(REVOCATIONS_TOPIC, Buffer.from(message), { qos: 1 });
    await closed;
    await expect(connect('cam-9', credentialOf('cam-9', 1000))).rejects.toMatchObject({ code: 5 });
    expect((await connect('cam-9', credentialOf('cam-9', 2000))).connected).toBe(true);
  });
});

describe('topic rules', () => {
  it('carry a device’s own messages up and the server’s down, and nobody else’s', async () => {
    const hub = await server();
    await hub.subscribeAsync(SERVER_FILTER, { qos: 1 });
    const [one, two] = [
      await connect('cam-1', credentialOf('cam-1')),
      await connect('cam-2', credentialOf('cam-2')),
    ];
    const granted = await one.subscribeAsync(deviceFilter('cam-1'), { qos: 1 });
    expect(granted.map(({ qos }) => qos)).toEqual([1]);

    const heard: string[] = [];
    two.on('message', (topic) => heard.push(topic));
    for (const filter of [
      deviceFilter('cam-1'),
      '#',
      SERVER_FILTER,
      REVOCATIONS_TOPIC,
      'espalier/v1/content/+',
    ]) {
      await expect(two.subscribeAsync(filter)).rejects.toThrow();
    }
    await two.subscribeAsync(contentTopic('a'.repeat(64)));

    // Forbidden, and still acknowledged: an unacknowledged message would be sent for ever.
    await two.publishAsync(upTopic('cam-1', 'hello'), 'forged', { qos: 1 });
    await two.publishAsync(downTopic('cam-2', 'target'), 'forged', { qos: 1 });
    await two.publishAsync(contentTopic('a'.repeat(64)), 'forged', { qos: 1 });
    const up = nextMessage(hub);
    await one.publishAsync(upTopic('cam-1', 'hello'), 'hi', { qos: 1 });
    expect((await up).payload.toString()).toBe('hi');
    expect(two.connected).toBe(true);

    const down = nextMessage(one);
    await hub.publishAsync(downTopic('cam-1', 'target'), 'go', { qos: 1 });
    expect((await down).payload.toString()).toBe('go');
    expect(heard).toEqual([]);
  });

  it('keep nothing for later: no retained message, no will, no stored session', async () => {
    const device = await connect('cam-1', credentialOf('cam-1'));
    await device.publishAsync(upTopic('cam-1', 'hello'), 'old', { qos: 1, retain: true });
    const hub = await server();
    await hub.subscribeAsync(SERVER_FILTER, { qos: 1 });
    const up = nextMessage(hub);
    await device.publishAsync(upTopic('cam-1', 'hello'), 'new', { qos: 1 });
    expect((await up).payload.toString()).toBe('new');

    const stored = mqtt.connect({
      host: '127.0.0.1',
      port,
      username: 'cam-2',
      clientId: 'cam-2',
      password: credentialOf('cam-2'),
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
    const device = await connect('cam-1', credentialOf('cam-1'));
    const closed = closeOf(device);
    device.publish(upTopic('cam-1', 'hello'), Buffer.alloc(LIMITS.controlMessageBytes * 2));
    await closed;
  });

  it('goes on for the others while one subscriber reads nothing', async () => {
    const artifact = 'b'.repeat(64);
    const hub = await server();
    const healthy = await connect('cam-1', credentialOf('cam-1'));
    await healthy.subscribeAsync(contentTopic(artifact));
    const stalled = await connect('cam-2', credentialOf('cam-2'));
    await stalled.subscribeAsync(contentTopic(artifact));
    (stalled.stream as unknown as ReturnType<typeof connectSocket>).pause();

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
    expect(text).toContain('ESPALIER_BROKER_CREDENTIAL_KEY');
  });

  it('ends when the process that started it is gone', async () => {
    const exited = once(broker, 'exit');
    broker.stdin!.end();
    expect(await exited).toEqual([0, null]);
  });
});
