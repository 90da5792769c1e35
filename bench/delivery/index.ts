import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EnrolResponse } from '@espalier/protocol';
import { rootSchema } from '@espalier/protocol';
import { generateKeyPair, payloadBytes, publicKeyBase64 } from '@espalier/trust';
import { z } from 'zod';
import { BenchError, type BenchContext, type Benchmark } from '../benchmark.js';
import { BROKERS, startBroker, type BrokerName } from './brokers.js';
import { makeVariant } from './model.js';
import { cutDevices, haltInTheMiddle, stalledDevice, wholeFleet } from './scenarios.js';
import { Server } from './server.js';

const DEVICES = 1000;
const STALL_ROUNDS = 3;

const resultSchema = z.strictObject({
  devices: z.number(),
  bytes: z.number(),
  seconds: z.number(),
  haltMs: z.number(),
  stalledSlowdown: z.number(),
  resumedBytesShare: z.number(),
});

/** Delivery to simulated devices; simulator, broker and server are processes of their own. */
export const benchmark: Benchmark<z.infer<typeof resultSchema>> = {
  about: 'a rollout to 1,000 simulated devices, a halt, cut and stalled devices',
  options: {
    broker: { type: 'string', default: 'espalier' },
    devices: { type: 'string', default: String(DEVICES) },
    /** A folder that keeps the server's data, so that a later run need not make the variant again. */
    keep: { type: 'string' },
  },
  document: resultSchema,
  run: async ({ values, note }) => {
    const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
    try {
      const { broker, devices, keep } = values;
      const dataDir = typeof keep === 'string' ? keep : join(folder, 'server');
      return await measure({ folder, dataDir }, brokerOf(broker), Number(devices), note);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

function brokerOf(value: unknown): BrokerName {
  const name = BROKERS.find((known) => known === value);
  if (name) return name;
  throw new BenchError('BENCH_USAGE', `--broker must be one of ${BROKERS.join(', ')}.`);
}

async function measure(
  { folder, dataDir }: { readonly folder: string; readonly dataDir: string },
  brokerName: BrokerName,
  devices: number,
  note: BenchContext['note'],
): Promise<z.infer<typeof resultSchema>> {
  const server = new Server(dataDir);
  await server.start({ BROKER_PORT: '0', LOG_LEVEL: 'warn' });
  const credentialKey = await onlineKey(server);
  const variant = await makeVariant(server);
  await server.stop();
  note(`the variant has ${variant.artifact.bytes} bytes; the broker is ${brokerName}`);
  const broker = await startBroker(brokerName, folder, credentialKey);
  try {
    await server.start({ BROKER_URL: broker.serverUrl });
    const site = { server, broker, variant, note };
    const seconds = await wholeFleet(site, devices);
    const resumedBytesShare = await cutDevices(site);
    const stalledSlowdown = await stalledDevice(site, STALL_ROUNDS);
    const haltMs = await haltInTheMiddle(site);
    const bytes = variant.artifact.bytes;
    return { devices, bytes, seconds, haltMs, stalledSlowdown, resumedBytesShare };
  } finally {
    await server.stop();
    await broker.stop();
  }
}

/** The key that the server signs credentials with, read from the root that devices are given. */
async function onlineKey(server: Server): Promise<string> {
  const { token } = await server.call<{ token: string }>('POST', '/api/v1/claim-tokens', {});
  const publicKey = publicKeyBase64(generateKeyPair());
  const request = { token, publicKey, name: 'key-finder' };
  const { root } = await server.call<EnrolResponse>('POST', '/api/v1/enrolments', request);
  const { roles, keys } = rootSchema.parse(
    JSON.parse(Buffer.from(payloadBytes(root)).toString('utf8')),
  );
  return keys[roles.target.keyids[0] ?? '']?.public ?? '';
}
