import { randomUUID } from 'node:crypto';
import { seededRandom, type Random } from '@espalier/dataset';
import { encodeChunk, LIMITS, type DownKind, type TargetMessage } from '@espalier/protocol';
import { payloadBytes, sign } from '@espalier/trust';
import type { AgentProcess } from '../../apps/agent/test/agent-process.js';
import { model, padded } from '../../apps/agent/test/models.js';
import { Site } from '../../apps/agent/test/site.js';
import type { StubServer } from '../../apps/agent/test/stub-server.js';
import { enveloped, ERROR_LINE, fitting, sendInBatches } from './batches.js';
import { mutated, spoiltBytes, spoiltValues } from './json-mutations.js';
import {
  isAlive,
  peakRssMiB,
  settled,
  Tally,
  until,
  type FuzzRun,
  type Outcome,
} from './outcome.js';

const BOUND = {
  boundMiB: 320,
  bound: 'agent: 130 MiB with ONNX Runtime, and 100 messages of 258 KiB, parsed, before collection',
};
const DEVICE = 'dev-fuzzed';
const REFUSED = /"msg":"(?:message dropped|target dropped|chunk refused)"/;
const CODE = /"code":"([A-Z][A-Z_]+)"/;
/** An install that fails has its code; whatever else is logged as an error has none. */
const FAILED = /"failure":\{"code":"([A-Z][A-Z_]+)"/;

/** Spoilt messages of a server to the real agent. */
export async function fuzzAgent(run: FuzzRun): Promise<Outcome> {
  const { count, seed } = run;
  const random = seededRandom(seed);
  const tally = new Tally('control-agent', run);
  const site = await Site.open();
  const { server } = site;
  try {
    const agent = await site.started('fuzzed');
    await server.target(DEVICE, { model, encoding: 'identity', generation: 1 });
    await server.reported(1, 'active');
    agent.onLine = (line) => judge(line, tally);
    let generation = 1;
    await sendInBatches(run, tally, {
      name: 'agent',
      send: async () => {
        const [kind, payload] = input(server, generation + 1, random);
        const bytes = fitting(payload);
        tally.sends(kind, bytes);
        await server.sendBytes(DEVICE, kind, bytes);
      },
      isServed: () => {
        generation += 2;
        return isServed(server, agent, generation);
      },
      log: () => agent.log,
    });
    const accepted = Math.max(0, count - (await settled(() => tally.refusals)));
    return {
      ...{ target: 'control-agent', seed, inputs: count, accepted },
      ...{ refused: tally.refused, failures: tally.failures },
      ...{ peakRssMiB: peakRssMiB(agent.pid), ...BOUND },
      servedAfter: await isServed(server, agent, generation + 1),
    };
  } finally {
    await site.close();
  }
}

function judge(line: string, tally: Tally): void {
  const code = CODE.exec(line)?.[1];
  const failure = FAILED.exec(line)?.[1];
  if (REFUSED.test(line) && code !== undefined) tally.refuse(code);
  else if (failure !== undefined && line.includes('"msg":"target taken"')) tally.refuse(failure);
  else if (ERROR_LINE.test(line) && failure === undefined) tally.fail(line);
}

/** A sound target is taken and becomes active. */
async function isServed(
  server: StubServer,
  agent: AgentProcess,
  generation: number,
): Promise<boolean> {
  await server.target(DEVICE, { model, encoding: 'identity', generation });
  const isActive = (): boolean =>
    server.reports.some((r) => r.generation === generation && r.state === 'active');
  return (await until(() => isActive() || !isAlive(agent.pid), 90)) && isActive();
}

/** A spoilt message: of no key, or signed by the right keys and wrong within. */
function input(server: StubServer, generation: number, random: Random): [DownKind, Uint8Array] {
  const spec = { model: padded(3000, 1), encoding: 'identity' as const, generation };
  switch (random.integer(8)) {
    case 0:
      return ['ack', mutated(enveloped({ of: randomUUID() }), random)];
    case 1:
      return ['chunk', chunk(random)];
    case 2:
      // Hardly ever sound: what is takes the device seconds.
      return ['measure', mutated(enveloped({ reason: 5 }), random)];
    case 3:
    case 4:
      return ['target', Buffer.from(JSON.stringify(enveloped(resigned(server, spec, random))))];
    default:
      return ['target', mutated(enveloped(server.messageFor(DEVICE, spec)), random)];
  }
}

/** Documents spoilt before they are signed; counters that never fall again are left alone. */
function resigned(
  server: StubServer,
  spec: Parameters<StubServer['messageFor']>[1],
  random: Random,
): object {
  const message: TargetMessage = server.messageFor(DEVICE, spec);
  const { rootKey, onlineKey } = server.authority;
  const spoilt = (signed: TargetMessage['target'], kept: readonly string[]): object => {
    const document = JSON.parse(Buffer.from(payloadBytes(signed)).toString('utf8')) as object;
    const changed = spoiltValues(structuredClone(document) as never, 1 + random.integer(3), random);
    if (changed === null || typeof changed !== 'object') return document;
    const entries = Object.entries(document).filter(([key]) => kept.includes(key));
    return { ...changed, ...Object.fromEntries(entries) };
  };
  return random.next() < 0.7
    ? { ...message, release: sign('release', spoilt(message.release, []), [rootKey]) }
    : {
        ...message,
        target: sign('target', spoilt(message.target, ['generation', 'epoch']), [onlineKey]),
      };
}

function chunk(random: Random): Uint8Array {
  const payload = Buffer.alloc(1 + random.integer(LIMITS.chunkBytes), random.integer(256));
  const frame = encodeChunk({
    artifactSha256: 'b'.repeat(64),
    index: random.integer(2 ** 31),
    payload,
  });
  return random.next() < 0.3 ? frame : spoiltBytes(frame, random);
}
