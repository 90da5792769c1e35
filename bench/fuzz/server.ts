import { randomUUID } from 'node:crypto';
import { seededRandom } from '@espalier/dataset';
import { UP_KINDS, type UpKind } from '@espalier/protocol';
import { generateKeyPair, signReport } from '@espalier/trust';
import { profileOf, ScriptedDevice } from '../../apps/server/test/scripted-device.js';
import { ServerProcess } from '../../apps/server/test/server-process.js';
import { enveloped, ERROR_LINE, fitting, sendInBatches } from './batches.js';
import { mutated, pick } from './json-mutations.js';
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
  boundMiB: 512,
  bound:
    'server: 250 MiB at rest, 64 MiB of messages under way, and as much again before collection',
};
const REFUSAL = /"code":"([A-Z][A-Z_]+)"/;

/** Spoilt messages of a device to the real server, over its real broker. */
export async function fuzzServer(run: FuzzRun): Promise<Outcome> {
  const { count, seed } = run;
  const random = seededRandom(seed);
  const tally = new Tally('control-server', run);
  const server = await ServerProcess.start({ LOG_LEVEL: 'warn' });
  server.onLine = (line) => {
    const code = REFUSAL.exec(line)?.[1];
    if (code !== undefined) tally.refuse(code);
    else if (ERROR_LINE.test(line)) tally.fail(line);
  };
  try {
    const device = await ScriptedDevice.enrol(server, 'fuzzed');
    const key = generateKeyPair();
    await device.connect(profileOf());
    const messages = soundMessages(device.id, (payload) => signReport(payload as never, key));
    await sendInBatches(run, tally, {
      name: 'server',
      send: async () => {
        const kind = pick(UP_KINDS, random) ?? 'hello';
        const payload = fitting(mutated(enveloped(messages[kind]()), random));
        tally.sends(kind, payload);
        await device.raw(kind, Buffer.from(payload));
      },
      isServed: async () => (await isHeard(device)) && isAlive(server.pid),
      log: () => server.log,
    });
    const servedAfter = await isHeard(device);
    tally.accepted = Math.max(0, count - (await settled(() => tally.refusals)));
    await device.disconnect();
    return {
      ...{ target: 'control-server', seed, inputs: count, accepted: tally.accepted },
      ...{ refused: tally.refused, failures: tally.failures, servedAfter },
      ...{ peakRssMiB: peakRssMiB(server.pid), ...BOUND },
    };
  } finally {
    await server.dispose();
  }
}

/** A sound message is acknowledged; those before it have then been looked at or are under way. */
async function isHeard(device: ScriptedDevice): Promise<boolean> {
  const id = randomUUID();
  const hello = { agentVersion: 'fuzz', bootId: 'boot', generation: 0, running: null };
  await device.say('hello', { ...hello, profileSha256: null }, id);
  return until(() => device.acks.includes(id), 60);
}

/** A sound body of each kind that a device says. */
function soundMessages(
  deviceId: string,
  signed: (payload: object) => object,
): Record<UpKind, () => object> {
  const hash = 'a'.repeat(64);
  const running = { releaseId: 'r1', variantId: 'v1', modelSha256: hash };
  const at = new Date().toISOString();
  return {
    hello: () => ({
      ...{ agentVersion: 'fuzz', bootId: 'boot', generation: 0, running, profileSha256: hash },
    }),
    profile: () => ({ profile: profileOf() }),
    report: () => ({
      report: signed({
        ...{ type: 'report', deviceId, generation: 1, releaseId: 'r1', variantId: 'v1' },
        ...{ state: 'active', loadedSha256: hash, probe: { latencyMs: 1, finite: true } },
        ...{ running, failure: null, receivedBytes: 10, at },
      }),
    }),
    telemetry: () => ({
      ...{ generation: 1, running, from: at, to: at, inferences: 5, errors: 0 },
      ...{ latencyMs: { p50: 1, p95: 2, max: 3, mean: 1 } },
      ...{ memory: { rssBytes: 1, modelBytes: 1 }, accuracy: { labelled: 5, correct: 4 } },
      ...{ restarts: 0, emulatedSlowdown: null },
    }),
    need: () => ({
      ...{ generation: 1, artifactSha256: hash, chunkCount: 4, receivedChunks: 0 },
      ...{ held: 'AAA=', indices: [0, 1] },
    }),
    shadow: () => ({
      ...{ running, takenAt: at },
      input: { dtype: 'float32', dims: [1], encoding: 'raw', data: 'AAAAAA==' },
      output: { kind: 'class', predicted: 1, confidence: 2 },
    }),
  };
}
