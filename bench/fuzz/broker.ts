import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import { seededRandom, type Random } from '@espalier/dataset';
import { contentTopic, deviceFilter, downTopic, upTopic } from '@espalier/protocol';
import { ScriptedDevice } from '../../apps/server/test/scripted-device.js';
import { ServerProcess } from '../../apps/server/test/server-process.js';
import { mutated, pick, spoiltBytes } from './json-mutations.js';
import {
  acknowledgement,
  connectPacket,
  packet,
  PING,
  PING_ANSWER,
  publishPacket,
  subscribePacket,
  unsubscribePacket,
} from './mqtt-packets.js';
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
  bound: 'broker: 80 MiB at rest, and 16 connections of at most 4 MiB in each direction',
};
const AT_ONCE = 16;
/** A packet that announces more than comes leaves the broker waiting, as it should. */
const WAITED_MS = 250;
/** Events that tell of a connection that was refused or cut. */
const ENDS = /"code":"(BROKER_(?:PROTOCOL|PACKET|SESSION|NO_IDENTITY|OTHER_IDENTITY|TLS|FULL))"/;
const DROPS = /"code":"(BROKER_(?:PUBLISH|SUBSCRIBE)_FORBIDDEN)"/;

/** Spoilt MQTT packets to the real broker, from a client that may join and from one that may not. */
export async function fuzzBroker(run: FuzzRun): Promise<Outcome> {
  const { count, seed, note } = run;
  const random = seededRandom(seed);
  const tally = new Tally('control-broker', run);
  const server = await ServerProcess.start({ LOG_LEVEL: 'warn' });
  let events = 0;
  server.onLine = (line) => {
    const end = ENDS.exec(line)?.[1];
    const code = end ?? DROPS.exec(line)?.[1];
    if (code !== undefined) tally.refuse(code);
    if (end !== undefined) events += 1;
  };
  try {
    const devices: ScriptedDevice[] = [];
    for (let i = 0; i < AT_ONCE; i += 1) {
      devices.push(await ScriptedDevice.enrol(server, `fuzzed-${i}`));
    }
    const pid = childOf(server.pid);
    let done = 0;
    const ways = { answered: 0, refused: 0, cut: 0, waiting: 0 };
    await Promise.all(
      devices.map(async (device) => {
        while (done < count && isAlive(pid)) {
          done += 1;
          if (done % 1000 === 0) note(`broker: ${done} sent`);
          ways[await attempt(device, random, tally)] += 1;
        }
      }),
    );
    if (!isAlive(pid)) tally.fail(`The broker was gone after ${done} inputs.`);
    await settled(() => tally.refusals);
    const { answered, refused, cut, waiting } = ways;
    note(`broker: ${answered} answered, ${refused} refused, ${cut} cut, ${waiting} waited for`);
    if (events < refused + cut) {
      tally.fail(`${refused + cut} connections were ended with ${events} coded events.`);
    }
    return {
      ...{ target: 'control-broker', seed, inputs: count, accepted: answered + waiting },
      ...{ refused: tally.refused, failures: tally.failures },
      ...{ peakRssMiB: peakRssMiB(pid), ...BOUND },
      servedAfter: isAlive(pid) && (await isServed(server)),
    };
  } finally {
    await server.dispose();
  }
}

/** One connection with spoilt packets on it, and how the broker took them. */
async function attempt(
  device: ScriptedDevice,
  random: Random,
  tally: Tally,
): Promise<'answered' | 'refused' | 'cut' | 'waiting'> {
  const socket = opened(device);
  const joining = connectPacket(device.login);
  let answers = Buffer.alloc(0);
  let closed = false;
  socket.on('data', (bytes: Buffer) => (answers = Buffer.concat([answers, bytes]).subarray(-4096)));
  socket.on('error', () => undefined);
  const end = new Promise<void>((resolve) =>
    socket.once('close', () => {
      closed = true;
      resolve();
    }),
  );
  await Promise.race([end, new Promise((resolve) => socket.once('secureConnect', resolve))]);
  const stranger = random.next() < 0.3;
  const bytes = stranger
    ? spoiltPacket(joining, random)
    : Buffer.concat([
        joining,
        ...Array.from({ length: 1 + random.integer(4) }, () =>
          spoiltPacket(soundPacket(device.id, random), random),
        ),
      ]);
  tally.sends(device.id, bytes);
  socket.write(Buffer.concat([bytes, PING]));
  const isAnswered = (): boolean => answers.includes(PING_ANSWER);
  const late = Date.now() + WAITED_MS;
  while (!closed && !isAnswered() && Date.now() < late) {
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 5))]);
  }
  socket.destroy();
  if (answers[0] === 0x20 && answers[3] !== 0) return 'refused';
  if (isAnswered()) return 'answered';
  return closed ? 'cut' : 'waiting';
}

function opened({ brokerUrl, login }: ScriptedDevice): Socket {
  const { hostname: host, port } = new URL(brokerUrl);
  const { ca, cert, key } = login as ConnectionOptions;
  return connect({ host, port: Number(port), ...{ ca, cert, key } });
}

function soundPacket(deviceId: string, random: Random): Buffer {
  const id = random.integer(65_536);
  const topics = [
    upTopic(deviceId, 'hello'),
    upTopic(deviceId, 'telemetry'),
    upTopic('another', 'report'),
    downTopic(deviceId, 'target'),
    contentTopic('c'.repeat(64)),
    '$SYS/x',
    '#',
    '',
    '+/'.repeat(5000),
  ];
  const topic = pick(topics, random) ?? '';
  switch (random.integer(6)) {
    case 0:
      return subscribePacket(random.next() < 0.5 ? deviceFilter(deviceId) : topic, id);
    case 1:
      return unsubscribePacket(topic, id);
    case 2:
      return acknowledgement(pick([4, 5, 6, 7, 11], random) ?? 4, id);
    case 3:
      return packet(random.integer(16), random.integer(16), Buffer.alloc(random.integer(64)));
    default:
      return publishPacket(topic, mutated({ v: 1, id: 'x', body: { a: [1, 2] } }, random), id);
  }
}

function spoiltPacket(sound: Buffer, random: Random): Uint8Array {
  switch (random.integer(4)) {
    case 0:
      return sound;
    case 1:
      return Buffer.concat([sound.subarray(0, 1), Buffer.from([255, 255, 255, 127])]);
    default:
      return spoiltBytes(sound, random);
  }
}

/** A device joins, and is heard by the server. */
async function isServed(server: ServerProcess): Promise<boolean> {
  const device = await ScriptedDevice.enrol(server, 'after');
  await device.connect(null);
  try {
    return await until(() => device.acks.length > 0, 60);
  } finally {
    await device.disconnect();
  }
}

/** The server's one child process is its broker. */
function childOf(pid: number | undefined): number | undefined {
  const id = String(pid ?? 0);
  const [child] = readFileSync(`/proc/${id}/task/${id}/children`, 'utf8').trim().split(' ');
  return child ? Number(child) : undefined;
}
