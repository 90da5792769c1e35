import { until } from './child.js';
import { Fleet } from './fleet.js';
import { roll, type Variant } from './model.js';
import { Monitor } from './monitor.js';
import type { Broker } from './brokers.js';
import type { Server } from './server.js';

const STAGES = [5, 25, 100];
const ALL_AT_ONCE = [100];
const OUTAGE_MS = 15_000;
const OUTAGE_DEADLINE_S = 600;

/** What a scenario works with. */
export interface Site {
  readonly server: Server;
  readonly broker: Broker;
  readonly variant: Variant;
  note(line: string): void;
}

/** Rolls out to a whole fleet in three stages. @returns seconds from the order to the end */
export async function wholeFleet(
  { server, variant, note }: Site,
  devices: number,
): Promise<number> {
  const startedAt = performance.now();
  const fleet = await Fleet.start(server, 'whole', devices);
  note(`${devices} devices enrolled and profiled in ${secondsSince(startedAt)} s`);
  try {
    const orderedAt = performance.now();
    const id = await roll(server, variant.modelId, fleet.label, STAGES);
    await until(async () => (await statusOf(server, id)) !== 'running', 'the rollout', 170);
    const seconds = Number(secondsSince(orderedAt));
    const status = await statusOf(server, id);
    const active = fleet.settled.filter(({ state }) => state === 'active').length;
    if (status !== 'completed' || active !== devices) {
      throw new Error(`The rollout ended ${status} with ${active} of ${devices} devices active.`);
    }
    note(`stages ${STAGES.join('/')} in ${seconds} s`);
    return seconds;
  } finally {
    await fleet.stop();
  }
}

/** @returns the largest share of the artifact that a device cut in its middle received again */
export async function cutDevices({ server, variant, note }: Site): Promise<number> {
  const cut = 5;
  const fleet = await Fleet.start(server, 'cut', 50, ['--fault', `cut=${cut}`]);
  try {
    await roll(server, variant.modelId, fleet.label, ALL_AT_ONCE);
    await until(() => fleet.settled.length === fleet.devices, 'the cut devices', 60);
    const shares = fleet.settled
      .filter(({ fault }) => fault === 'cut')
      .map(({ againBytes }) => againBytes / variant.artifact.bytes);
    note(`received after the cut: ${shares.map((share) => share.toFixed(3)).join(' ')}`);
    return Math.max(...shares);
  } finally {
    await fleet.stop();
  }
}

/** @returns how much longer the median device takes when one of the group stalls, as a share */
export async function stalledDevice(site: Site, rounds: number): Promise<number> {
  const medians = { calm: [] as number[], stalled: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    // In turn first and second, so that neither always has the warmer server.
    const order = round % 2 === 0 ? (['calm', 'stalled'] as const) : (['stalled', 'calm'] as const);
    for (const kind of order) medians[kind].push(await medianOf(site, kind, round));
  }
  site.note(`medians without and with a stalled device: ${JSON.stringify(medians)}`);
  return median(medians.stalled) / median(medians.calm) - 1;
}

async function medianOf(
  { server, variant }: Site,
  kind: 'calm' | 'stalled',
  round: number,
): Promise<number> {
  const label = `${kind}-${round}`;
  const fleet = await Fleet.start(
    server,
    label,
    100,
    kind === 'stalled' ? ['--fault', 'stall=1'] : [],
  );
  try {
    const expected = fleet.devices - (kind === 'stalled' ? 1 : 0);
    const id = await roll(server, variant.modelId, fleet.label, ALL_AT_ONCE);
    await until(() => fleet.settled.length === expected, `the ${kind} group`, 90);
    if (kind === 'stalled') await abort(server, id);
    return median(fleet.settled.map(({ seconds }) => seconds));
  } finally {
    await fleet.stop();
  }
}

/** @returns milliseconds from the commit of a halt to the last target or chunk published */
export async function haltInTheMiddle(site: Site): Promise<number> {
  const { server, broker, variant, note } = site;
  const fleet = await Fleet.start(server, 'halted', 300);
  const monitor = await Monitor.start(broker);
  try {
    const id = await roll(server, variant.modelId, fleet.label, ALL_AT_ONCE);
    await until(() => monitor.heard > fleet.devices / 2, 'the delivery', 30);
    server.decisions.length = 0;
    await abort(server, id);
    await new Promise((resolve) => setTimeout(resolve, 4000));
    const committed = server.decisions.find(({ outcome }) => outcome === 'abort');
    if (!committed) throw new Error('The halt was not decided.');
    const done = fleet.settled.length;
    note(`halted after ${monitor.heard} messages, with ${done} of ${fleet.devices} devices done`);
    if (done === fleet.devices) throw new Error('The delivery was over before the halt.');
    return Math.max(0, monitor.lastAt - committed.at);
  } finally {
    await monitor.stop();
    await fleet.stop();
  }
}

/** Takes the broker from a fleet for a while, and notes how it comes back to a target of meanwhile. */
export async function brokerOutage(
  { server, broker, variant, note }: Site,
  devices: number,
  restart: () => Promise<void>,
): Promise<void> {
  const fleet = await Fleet.start(server, 'outage', devices);
  try {
    await broker.stop();
    await until(() => fleet.connected === 0, 'the outage', 60);
    const id = await roll(server, variant.modelId, fleet.label, ALL_AT_ONCE, OUTAGE_DEADLINE_S);
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
    fleet.connections.length = 0;
    const startedAt = performance.now();
    await restart();
    await until(() => fleet.connected === devices, 'the fleet', 150);
    const whole = (performance.now() - startedAt) / 1000;
    note(
      `${devices} devices back in ${whole.toFixed(1)} s; each second: ${perSecond(fleet, startedAt).join(' ')}`,
    );
    await until(() => fleet.settled.length === devices, 'the targets', 120);
    note(`all active after ${secondsSince(startedAt)} s; ${await statusOf(server, id)}`);
  } finally {
    await fleet.stop();
  }
}

/** Devices that connected in each second since. */
function perSecond({ connections }: Fleet, since: number): number[] {
  const seconds: number[] = [];
  let before = 0;
  for (const { at, devices } of connections) {
    const second = Math.floor((at - since) / 1000);
    while (seconds.length <= second) seconds.push(0);
    seconds[second] = (seconds[second] ?? 0) + devices - before;
    before = devices;
  }
  return seconds;
}

async function abort(server: Server, id: string): Promise<void> {
  await server.call('POST', `/api/v1/rollouts/${id}/abort`, { mode: 'revert' });
}

async function statusOf(server: Server, id: string): Promise<string> {
  const { rollouts } = await server.call<{ rollouts: { id: string; status: string }[] }>(
    'GET',
    '/api/v1/rollouts',
  );
  return rollouts.find((rollout) => rollout.id === id)?.status ?? 'unknown';
}

const secondsSince = (at: number): string => ((performance.now() - at) / 1000).toFixed(2);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? 0, sorted[Math.floor(middle)] ?? 0];
  return (low + high) / 2;
}
