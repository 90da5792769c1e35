import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  AUTHORITY_FILES,
  BROKER_FILES,
  brokerIdentity,
  CertificateAuthority,
  clientIdentity,
} from '@espalier/authority';
import type { IClientOptions } from 'mqtt';
import { BenchError } from '../benchmark.js';
import { Child, until } from './child.js';

const OURS = fileURLToPath(new URL('../../apps/broker/dist/main.js', import.meta.url));
const CLI = fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url));
const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'];
const HOST = '127.0.0.1';
const MONITOR = 'espalier.monitor';

export const BROKERS = ['espalier', 'mosquitto'] as const;
export type BrokerName = (typeof BROKERS)[number];

/** A broker in a process of its own, over TLS as in the field. */
export interface Broker {
  readonly port: number;
  readonly url: string;
  /** What the server is told. */
  readonly environment: Readonly<Record<string, string>>;
  /** How somebody joins who hears everything. */
  readonly monitor: IClientOptions;
  /** How somebody joins with the rights of the server, on our own broker. */
  identity(name: string): Promise<ServerIdentity>;
  stop(): Promise<void>;
  /** Ends it at once, with SIGKILL. */
  kill(): Promise<void>;
}

/** PEM texts and the name that they are for. */
export interface ServerIdentity {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly clientId: string;
}

/**
 * Starts a broker.
 * @param dataDir of the server, which was started once and so has its authority
 * @param samePort where an earlier one was; null: wherever is free
 */
export async function startBroker(
  name: BrokerName,
  folder: string,
  dataDir: string,
  samePort: number | null = null,
): Promise<Broker> {
  const port = samePort ?? (await freePort());
  const files = join(folder, 'broker');
  mkdirSync(files, { recursive: true });
  const authority = await authorityOf(dataDir);
  const start = name === 'mosquitto' ? mosquitto : ours;
  const child = await start(files, port, { authority, dataDir });
  await until(() => accepts(port), `the broker: ${child.log}`, 15);
  const identity = async (clientId: string): Promise<ServerIdentity> => {
    const { certificate, privateKey } = await clientIdentity(authority, clientId, Date.now());
    return { ca: authority.pem, cert: certificate, key: privateKey, clientId };
  };
  const url = `mqtts://${HOST}:${port}`;
  return {
    port,
    url,
    environment: {
      BROKER_URL: url,
      ...(name === 'mosquitto' ? { MOSQUITTO_DIR: files } : {}),
    },
    monitor: await identity(MONITOR),
    identity,
    stop: () => child.end(),
    kill: () => child.end('SIGKILL'),
  };
}

interface Origin {
  readonly authority: CertificateAuthority;
  readonly dataDir: string;
}

async function ours(folder: string, port: number, { authority }: Origin): Promise<Child> {
  const { certificate, privateKey } = await brokerIdentity(authority, [HOST], Date.now());
  const path = (file: keyof typeof BROKER_FILES): string => join(folder, BROKER_FILES[file]);
  writeFileSync(path('ca'), authority.pem);
  writeFileSync(path('certificate'), certificate);
  writeFileSync(path('privateKey'), privateKey, { mode: 0o600 });
  return new Child(process.execPath, [OURS], {
    ESPALIER_BROKER_PORT: String(port),
    ESPALIER_BROKER_CA_FILE: path('ca'),
    ESPALIER_BROKER_CERT_FILE: path('certificate'),
    ESPALIER_BROKER_KEY_FILE: path('privateKey'),
    ESPALIER_BROKER_LOG_LEVEL: 'error',
  });
}

/** Mosquitto with the configuration that the command line makes. */
async function mosquitto(folder: string, port: number, { dataDir }: Origin): Promise<Child> {
  const binary = MOSQUITTO.find(existsSync);
  if (!binary) {
    throw new BenchError('BENCH_INPUT', 'Mosquitto is not installed: apt-get install mosquitto.');
  }
  await promisify(execFile)(process.execPath, [
    ...[CLI, 'broker', 'mosquitto-config', '--out', folder, '--data-dir', dataDir],
    ...['--host', HOST, '--address', HOST, '--port', String(port)],
  ]);
  const own = `user ${MONITOR}\ntopic read espalier/#\n`;
  writeFileSync(join(folder, 'access.local'), own);
  return new Child(binary, ['-c', join(folder, 'mosquitto.conf')]);
}

function authorityOf(dataDir: string): Promise<CertificateAuthority> {
  const read = (file: string): string => readFileSync(join(dataDir, 'keys', file), 'utf8');
  return CertificateAuthority.open({
    certificate: read(AUTHORITY_FILES.certificate),
    privateKey: read(AUTHORITY_FILES.privateKey),
  });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, HOST);
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

function accepts(port: number): Promise<boolean> {
  const socket = connect(port, HOST);
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}
