/**
 * A process that speaks for many devices: it sends telemetry at a steady rate, keeps each message until
 * the server's acknowledgement and sends it again meanwhile, as agents do. The devices share
 * connections, under the server's account, which alone may speak for others.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { decodeMessage, DOWN_SCHEMAS, downTopic, parseTopic } from '@espalier/protocol';
import { connect, type MqttClient } from 'mqtt';
import type { ServerIdentity } from '../delivery/brokers.js';
import { deviceIdOf, reportOf } from './reports.js';

const TICK_MS = 20;
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 60_000;
const SUBSCRIBE_AT_ONCE = 250;

interface Waiting {
  readonly sequence: number;
  readonly topic: string;
  readonly payload: Buffer;
  readonly sentAt: number;
  againAt: number;
  waitMs: number;
}

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: '' },
    /** JSON file with an identity for each connection. */
    identities: { type: 'string', default: '' },
    devices: { type: 'string', default: '0' },
    rate: { type: 'string', default: '0' },
    /** File that the acknowledged messages' numbers are written to. */
    acknowledged: { type: 'string', default: '' },
  },
});
const devices = Number(values.devices);
const rate = Number(values.rate);

const waiting = new Map<string, Waiting>();
const acknowledged: number[] = [];
const latencies: number[] = [];
let sequence = 0;
let again = 0;
let ready = 0;

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const identities = JSON.parse(readFileSync(values.identities, 'utf8')) as ServerIdentity[];
const clients = identities.map(open);

function open(identity: ServerIdentity, at: number): MqttClient {
  const client = connect(values.url, {
    ...identity,
    reconnectPeriod: 500,
    reconnectOnConnackError: true,
    resubscribe: false,
    queueQoSZero: false,
  });
  client.on('error', () => undefined);
  client.on('connect', () => {
    listen(client, at).catch(() => client.reconnect());
  });
  client.on('message', (topic, payload) => {
    const parsed = parseTopic(topic);
    if (parsed.direction !== 'down' || parsed.kind !== 'ack') return;
    const { of } = decodeMessage(payload, DOWN_SCHEMAS.ack).body;
    const message = waiting.get(of);
    if (!message) return;
    waiting.delete(of);
    acknowledged.push(message.sequence);
    latencies.push(performance.now() - message.sentAt);
  });
  return client;
}

/** Each device has a subscription of its own, as in the field. */
async function listen(client: MqttClient, at: number): Promise<void> {
  const topics: string[] = [];
  for (let device = at; device < devices; device += clients.length) {
    topics.push(downTopic(deviceIdOf(device), 'ack'));
  }
  for (let from = 0; from < topics.length; from += SUBSCRIBE_AT_ONCE) {
    await client.subscribeAsync(topics.slice(from, from + SUBSCRIBE_AT_ONCE), { qos: 0 });
  }
  ready += 1;
  if (ready === clients.length) {
    say({ event: 'ready' });
    start();
  }
}

let startedAt = 0;
let timer: NodeJS.Timeout | undefined;

function start(): void {
  startedAt = performance.now();
  timer = setInterval(() => {
    const now = performance.now();
    if (!ending) {
      const due = ((now - startedAt) * rate) / 1000;
      while (sequence < due) post(sequence++, now);
    }
    for (const message of waiting.values()) {
      if (message.againAt > now) continue;
      again += 1;
      message.waitMs = Math.min(LONGEST_WAIT_MS, message.waitMs * 2);
      message.againAt = now + message.waitMs * (0.75 + Math.random() / 2);
      send(message);
    }
    if (ending && waiting.size === 0) finish();
  }, TICK_MS);
}

function post(number: number, now: number): void {
  const { id, topic, payload } = reportOf(number % devices, number);
  const message = {
    ...{ sequence: number, topic, payload, sentAt: now },
    ...{ againAt: now + FIRST_WAIT_MS * (0.75 + Math.random() / 2), waitMs: FIRST_WAIT_MS },
  };
  waiting.set(id, message);
  send(message);
}

function send({ sequence: number, topic, payload }: Waiting): void {
  const client = clients[(number % devices) % clients.length];
  if (client?.connected) client.publish(topic, payload, { qos: 1 });
}

let ending = false;
let sustained = 0;
/** Sends nothing new, and ends when every message is acknowledged. */
process.once('SIGUSR2', () => {
  ending = true;
  sustained = (acknowledged.length * 1000) / (performance.now() - startedAt);
});
/** Ends with what was acknowledged until now. */
process.once('SIGTERM', finish);

function finish(): void {
  clearInterval(timer);
  latencies.sort((a, b) => a - b);
  writeFileSync(values.acknowledged, acknowledged.join('\n'));
  say({
    event: 'done',
    ...{ sent: sequence, acknowledged: acknowledged.length, again },
    sustained,
    latencyMs: { p50: quantile(0.5), p95: quantile(0.95), max: quantile(1) },
  });
  process.exit(0);
}

function quantile(share: number): number {
  return latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? 0;
}
