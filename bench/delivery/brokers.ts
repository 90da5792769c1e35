import { existsSync, writeFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchError } from '../benchmark.js';
import { Child, until } from './child.js';

const OURS = fileURLToPath(new URL('../../apps/broker/dist/main.js', import.meta.url));
const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'];
const USER = 'espalier-server';
const SECRET = 'a secret of the benchmark';

export const BROKERS = ['espalier', 'mosquitto'] as const;
export type BrokerName = (typeof BROKERS)[number];

/** A broker in a process of its own, and how the server logs in. */
export interface Broker {
  readonly serverUrl: string;
  readonly username: string;
  readonly password: string;
  stop(): Promise<void>;
}

/**
 * Starts a broker.
 * @param credentialKey base64 of the key that signs the devices' credentials
 */
export async function startBroker(
  name: BrokerName,
  folder: string,
  credentialKey: string,
): Promise<Broker> {
  const port = await freePort();
  const child = name === 'mosquitto' ? mosquitto(folder, port) : ours(port, credentialKey);
  await until(() => accepts(port), `the broker: ${child.log}`, 15);
  return {
    serverUrl: `mqtt://${USER}:${encodeURIComponent(SECRET)}@127.0.0.1:${port}`,
    username: USER,
    password: SECRET,
    stop: () => child.end(),
  };
}

function ours(port: number, credentialKey: string): Child {
  return new Child(process.execPath, [OURS], {
    ESPALIER_BROKER_PORT: String(port),
    ESPALIER_BROKER_CREDENTIAL_KEY: credentialKey,
    ESPALIER_BROKER_SERVER_SECRET: SECRET,
    ESPALIER_BROKER_LOG_LEVEL: 'error',
  });
}

/** Mosquitto without passwords, for a benchmark alone, with the same topic rules. */
function mosquitto(folder: string, port: number): Child {
  const binary = MOSQUITTO.find(existsSync);
  if (!binary) {
    throw new BenchError('BENCH_INPUT', 'Mosquitto is not installed: apt-get install mosquitto.');
  }
  const access = join(folder, 'access');
  writeFileSync(
    access,
    [
      `user ${USER}`,
      'topic readwrite espalier/#',
      'pattern readwrite espalier/v1/devices/%c/#',
      'pattern read espalier/v1/content/#',
      '',
    ].join('\n'),
    { mode: 0o644 },
  );
  const file = join(folder, 'mosquitto.conf');
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    `acl_file ${access}`,
    'persistence false',
    'log_type error',
    ...(process.getuid?.() === 0 ? ['user root'] : []),
  ];
  writeFileSync(file, lines.join('\n'));
  return new Child(binary, ['-c', file]);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}
