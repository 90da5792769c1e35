import {
  decodeChunk,
  decodeMessage,
  encodeChunk,
  encodeMessage,
  LIMITS,
  needSchema,
  ProtocolError,
} from '@espalier/protocol';
import fc from 'fast-check';
import {
  chunkOf,
  Distribution,
  manifestOf,
  Receiver,
  Requests,
  sha256,
  type DeliveryRates,
  type Dispatch,
} from './index.js';

const STEP_MS = 20;
const GENERATION = 7;
const fates = fc.constantFrom('arrives', 'arrives', 'lost', 'twice', 'late', 'corrupt');

/** One device of the simulation. */
class Device {
  readonly receiver: Receiver;
  readonly requests: Requests;
  readonly stored: Uint8Array;
  patientUntil = 0;

  constructor(
    readonly id: string,
    readonly artifact: Uint8Array,
    chunkSize: number,
    random: () => number,
  ) {
    this.receiver = new Receiver(manifestOf(artifact, chunkSize));
    this.requests = new Requests(this.receiver, GENERATION, random);
    this.stored = new Uint8Array(artifact.byteLength);
  }
}

/** Both ends on a clock of its own, with a link in between that damages what it carries. */
class World {
  now = 0;
  sentChunks = 0;
  mostWaiting = 0;
  readonly dispatches: Dispatch[] = [];
  readonly distribution: Distribution;
  readonly #link: { at: number; arrive: () => void }[] = [];

  constructor(
    readonly artifact: Uint8Array,
    readonly devices: readonly Device[],
    readonly chunkSize: number,
    readonly fate: () => string,
    rates?: DeliveryRates,
  ) {
    this.distribution = new Distribution(rates);
  }

  get done(): boolean {
    return this.devices.every(({ receiver }) => receiver.whole);
  }

  run(untilMs: number): void {
    if (this.now === 0) for (const device of this.devices) this.proceed(device);
    while (!this.done && this.now < untilMs) {
      this.now += STEP_MS;
      const due = this.#link.filter(({ at }) => at <= this.now);
      this.#link.splice(0, Infinity, ...this.#link.filter(({ at }) => at > this.now));
      for (const { arrive } of due) arrive();
      for (const device of this.devices) {
        if (device.receiver.whole || this.now < device.patientUntil) continue;
        device.requests.stalled();
        this.proceed(device);
      }
      this.mostWaiting = Math.max(this.mostWaiting, this.distribution.waiting);
      this.#send();
    }
  }

  proceed(device: Device): void {
    const need = device.requests.next();
    device.patientUntil = this.now + device.requests.patienceMs();
    if (!need) return;
    const envelope = { id: 'n', sentAt: new Date(0).toISOString(), epoch: 1 };
    this.#carry(encodeMessage(envelope, need), (bytes) => {
      const { body } = decodeMessage(bytes, needSchema);
      const manifest = manifestOf(this.artifact, this.chunkSize);
      this.distribution.want(device.id, body, { generation: GENERATION, manifest }, this.now);
    });
  }

  #send(): void {
    for (;;) {
      const next = this.distribution.next(this.now);
      if (next.kind !== 'send') return;
      const { dispatch } = next;
      this.dispatches.push(dispatch);
      const { manifest, index } = dispatch;
      const payload = chunkOf(this.artifact, manifest, index);
      const frame = encodeChunk({ artifactSha256: manifest.sha256, index, payload });
      const listeners = this.devices.filter(({ id, receiver }) =>
        dispatch.kind === 'broadcast'
          ? !receiver.whole
          : dispatch.receivers.some(({ deviceId }) => deviceId === id),
      );
      for (const device of listeners) this.#carry(frame, (bytes) => this.#receive(device, bytes));
    }
  }

  #receive(device: Device, bytes: Uint8Array): void {
    if (device.receiver.whole) return;
    const frame = decodeChunk(bytes);
    const verdict = device.receiver.accept(frame);
    if (verdict.kind !== 'accepted') return;
    device.stored.set(frame.payload, verdict.offset);
    device.requests.accepted(this.now);
    this.proceed(device);
  }

  #carry(bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    const fate = this.fate();
    if (fate === 'lost') return;
    const carried = Uint8Array.from(bytes);
    if (fate === 'corrupt') {
      const at = (this.sentChunks * 7919) % carried.length;
      carried[at] = (carried[at] ?? 0) ^ 0x55;
    }
    this.sentChunks += 1;
    const deliver = (delay: number): void => {
      this.#link.push({
        at: this.now + delay,
        arrive: () => {
          try {
            arrive(carried);
          } catch (error) {
            if (!(error instanceof ProtocolError)) throw error;
          }
        },
      });
    };
    deliver(fate === 'late' ? 500 : STEP_MS);
    if (fate === 'twice') deliver(3 * STEP_MS);
  }
}

const bytesOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 3)) % 251);
const fleet = (count: number, artifact: Uint8Array, chunkSize: number): Device[] =>
  Array.from({ length: count }, (_, k) => new Device(`dev-${k}`, artifact, chunkSize, () => 0.5));

describe('delivery to a group', () => {
  it('ends whole and right for every device over any link, within bounded memory', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fates, { minLength: 1, maxLength: 50 }),
        (length, count, link) => {
          const artifact = bytesOf(length);
          let step = 0;
          const world: World = new World(artifact, fleet(count, artifact, 32), 32, () =>
            world.now > 60_000 ? 'arrives' : (link[step++ % link.length] ?? 'arrives'),
          );
          world.run(300_000);
          expect(world.done).toBe(true);
          for (const { stored } of world.devices) expect(sha256(stored)).toBe(sha256(artifact));
          expect(world.mostWaiting).toBeLessThanOrEqual(LIMITS.chunksPerNeed * count);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
  });

  const good = (count: number, length: number, rates?: DeliveryRates): World => {
    const artifact = bytesOf(length);
    return new World(artifact, fleet(count, artifact, 1000), 1000, () => 'arrives', rates);
  };

  it('sends each chunk once to a group, and to each device of a small one', () => {
    const many = good(20, 40_500);
    many.run(60_000);
    expect(many.done).toBe(true);
    expect(many.dispatches.map(({ kind }) => kind)).toEqual(Array(41).fill('broadcast'));
    expect(many.dispatches.every(({ receivers }) => receivers.length === 20)).toBe(true);
    const few = good(3, 40_500);
    few.run(60_000);
    expect(few.dispatches.map(({ kind }) => kind)).toEqual(Array(3 * 41).fill('device'));
  });

  it('repairs for one device alone what one device lost, and does not wait for one that is silent', () => {
    const world = good(10, 20_000);
    const [deaf] = world.devices;
    world.run(200);
    for (const index of [2, 3, 4]) deaf!.receiver.drop(index);
    world.devices[1]!.patientUntil = Infinity;
    world.run(30_000);
    const others = world.devices.filter((_, k) => k !== 1);
    expect(others.every(({ receiver }) => receiver.whole)).toBe(true);
    const single = world.dispatches.filter(({ kind }) => kind === 'device');
    expect(single.every(({ receivers }) => receivers[0]!.deviceId === 'dev-0')).toBe(true);
    expect(single.length).toBeLessThanOrEqual(3);
  });

  it('sends nothing to a device that is forgotten, nor a broadcast for forgotten ones', () => {
    const world = good(10, 200_000);
    world.run(100);
    for (const { id } of world.devices) world.distribution.forget(id);
    expect(world.distribution.waiting).toBe(0);
    expect(world.distribution.next(world.now)).toEqual({ kind: 'idle' });
  });

  it.each([
    ['of all that is sent', { total: 100_000, device: null }],
    ['of what each device gets', { total: null, device: 100_000 }],
  ])('keeps to its rate %s', (_, rates) => {
    const world = good(5, 500_000, rates);
    world.run(60_000);
    expect(world.done).toBe(true);
    const sent = rates.total === null ? 500_000 : world.dispatches.length * 1000;
    const fastestMs = ((sent - LIMITS.chunkBytes) / 100_000) * 1000;
    expect(world.now).toBeGreaterThanOrEqual(fastestMs);
    expect(world.now).toBeLessThan(2 * fastestMs);
  });
});
