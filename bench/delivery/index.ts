import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { BenchError, type BenchContext, type Benchmark } from '../benchmark.js';
import { BROKERS, startBroker, type BrokerName } from './brokers.js';
import { makeVariant } from './model.js';
import {
  brokerOutage,
  cutDevices,
  haltInTheMiddle,
  stalledDevice,
  wholeFleet,
} from './scenarios.js';
import { Server } from './server.js';

const DEVICES = 1000;
const STALL_ROUNDS = 3;

const MEASURED = ['rollout', 'resume', 'stall', 'halt'] as const;
const PARTS = [...MEASURED, 'reconnect'] as const;
type Part = (typeof PARTS)[number];

/** What belongs to a part that was not run is null. */
const resultSchema = z.strictObject({
  devices: z.number(),
  bytes: z.number(),
  seconds: z.number().nullable(),
  haltMs: z.number().nullable(),
  stalledSlowdown: z.number().nullable(),
  resumedBytesShare: z.number().nullable(),
});

/** Delivery to simulated devices; simulator, broker and server are processes of their own. */
export const benchmark: Benchmark<z.infer<typeof resultSchema>> = {
  about: 'a rollout to 1,000 simulated devices, a halt, cut and stalled devices',
  options: {
    broker: { type: 'string', default: 'espalier' },
    devices: { type: 'string', default: String(DEVICES) },
    /** A folder that keeps the server's data, so that a later run need not make the variant again. */
    keep: { type: 'string' },
    /** One of the parts alone: rollout, resume, stall, halt, or reconnect, which only notes. */
    part: { type: 'string' },
    /** A folder for processor profiles of the server. */
    profile: { type: 'string' },
  },
  document: resultSchema,
  run: async ({ values, note }) => {
    const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
    try {
      const { broker, devices, keep, part, profile } = values;
      const dataDir = typeof keep === 'string' ? keep : join(folder, 'server');
      const setting = {
        folder,
        dataDir,
        profileDir: typeof profile === 'string' ? profile : null,
        brokerName: oneOf(BROKERS, '--broker', broker),
        devices: Number(devices),
        parts: part === undefined ? MEASURED : [oneOf(PARTS, '--part', part)],
      };
      return await measure(setting, note);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

function oneOf<T extends string>(known: readonly T[], option: string, value: unknown): T {
  const found = known.find((one) => one === value);
  if (found) return found;
  throw new BenchError('BENCH_USAGE', `${option} must be one of ${known.join(', ')}.`);
}

interface Setting {
  readonly folder: string;
  readonly dataDir: string;
  readonly profileDir: string | null;
  readonly brokerName: BrokerName;
  readonly devices: number;
  readonly parts: readonly Part[];
}

async function measure(
  { folder, dataDir, profileDir, brokerName, devices, parts }: Setting,
  note: BenchContext['note'],
): Promise<z.infer<typeof resultSchema>> {
  const server = new Server(dataDir, profileDir);
  await server.start({ BROKER_PORT: '0', LOG_LEVEL: 'warn' });
  const variant = await makeVariant(server);
  await server.stop();
  note(`the variant has ${variant.artifact.bytes} bytes; the broker is ${brokerName}`);
  let broker = await startBroker(brokerName, folder, dataDir);
  const site = { server, broker, variant, note };
  const ifAsked = <T>(part: Part, run: () => Promise<T>): Promise<T | null> =>
    parts.includes(part) ? run() : Promise.resolve(null);
  try {
    await server.start(broker.environment);
    const seconds = await ifAsked('rollout', () => wholeFleet(site, devices));
    const resumedBytesShare = await ifAsked('resume', () => cutDevices(site));
    const stalledSlowdown = await ifAsked('stall', () => stalledDevice(site, STALL_ROUNDS));
    const haltMs = await ifAsked('halt', () => haltInTheMiddle(site));
    await ifAsked('reconnect', () =>
      brokerOutage(site, devices, async () => {
        broker = await startBroker(brokerName, folder, dataDir, broker.port);
      }),
    );
    const bytes = variant.artifact.bytes;
    return { devices, bytes, seconds, haltMs, stalledSlowdown, resumedBytesShare };
  } finally {
    await server.stop();
    await broker.stop();
  }
}
