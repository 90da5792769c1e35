/** A server, a device and a bad link between them, on a clock of its own. */
import { chunkOf, Distribution } from '@espalier/delivery';
import {
  decodeMessage,
  encodeChunk,
  encodeMessage,
  ProtocolError,
  UP_SCHEMAS,
  type DownKind,
  type ReportPayload,
  type TargetMessage,
  type UpKind,
} from '@espalier/protocol';
import { generateKeyPair, publicKeyBase64, TrustError, verifyReport } from '@espalier/trust';
import { Artifacts } from '../src/artifacts.js';
import { SimulatedDevice } from '../src/device.js';
import { emptyMemory, type Memory } from '../src/memory.js';
import { simulatedProfile } from '../src/profile.js';
import { Authority } from './authority.js';

const DEVICE_ID = 'dev-1';
const START_MS = Date.parse('2030-01-01T00:00:00.000Z');
const CHUNK_BYTES = 32;
const LINK_MS = 10;
const authority = new Authority();
const deviceKey = generateKeyPair();

/** What the link does to a message. */
export type Fate = 'arrives' | 'lost' | 'twice' | 'late' | 'corrupt';

interface Offer {
  readonly generation: number;
  readonly artifact: Uint8Array;
  readonly message: TargetMessage;
}

export class World {
  now = 0;
  clockSkewMs = 0;
  readonly reports: ReportPayload[] = [];
  readonly distribution = new Distribution();
  device: SimulatedDevice;
  offer: Offer | null = null;
  /** Most messages that were under way or waited at once, and timers with them. */
  mostUnderWay = 0;
  #queue: { at: number; run: () => void; live: boolean }[] = [];
  #damage = 0;
  readonly #artifacts = new Artifacts();

  constructor(readonly fate: () => Fate) {
    this.device = this.#boot(emptyMemory(authority.root));
  }

  get wall(): number {
    return START_MS + this.now;
  }

  /** Offers the device a target; it is sent now and after each hello. */
  target(generation: number, artifact: Uint8Array, expires?: string): void {
    const settings = { chunkBytes: CHUNK_BYTES, at: this.wall, ...(expires ? { expires } : {}) };
    const message = authority.target(DEVICE_ID, generation, artifact, settings);
    this.offer = { generation, artifact, message };
    this.#sendTarget();
  }

  /** What a halt does: nothing is on offer any more. */
  withdraw(): void {
    this.offer = null;
    this.distribution.forget(DEVICE_ID);
  }

  /** The device's process ends and begins again from what it had stored. */
  restart(): void {
    const stored = JSON.parse(JSON.stringify(this.device.stored)) as Memory;
    this.device.stop();
    this.device = this.#boot(stored);
    this.device.connected();
  }

  reconnect(): void {
    this.device.disconnected();
    this.device.connected();
  }

  /** The first report that settles a generation. */
  settled(generation: number): ReportPayload | undefined {
    return this.reports.find(
      (report) =>
        report.generation === generation && ['active', 'refused', 'failed'].includes(report.state),
    );
  }

  run(untilMs: number, done: () => boolean = () => false): void {
    while (this.now < untilMs && !done()) {
      this.now += LINK_MS;
      const due = this.#queue.filter(({ at }) => at <= this.now);
      this.#queue = this.#queue.filter(({ at, live }) => live && at > this.now);
      for (const event of due) if (event.live) event.run();
      const underWay = this.#queue.length + this.distribution.waiting;
      this.mostUnderWay = Math.max(this.mostUnderWay, underWay);
      this.#sendChunks();
    }
  }

  #boot(memory: Memory): SimulatedDevice {
    const traits = {
      deviceId: DEVICE_ID,
      key: deviceKey,
      profile: simulatedProfile(64, new Date(START_MS)),
      checksWhole: true,
      failsProbe: false,
    };
    const around = {
      now: () => this.now,
      wallClock: () => this.wall + this.clockSkewMs,
      random: () => 0.5,
      after: (ms: number, run: () => void) => this.#at(ms, run),
      send: (kind: UpKind, payload: Uint8Array) => {
        this.#carry(payload, (bytes) => this.#heard(kind, bytes));
      },
      listenTo: () => undefined,
    };
    const listener = { moved: () => undefined, progressed: () => undefined };
    return new SimulatedDevice(traits, memory, this.#artifacts, around, listener);
  }

  #heard(kind: UpKind, payload: Uint8Array): void {
    switch (kind) {
      case 'hello':
        decodeMessage(payload, UP_SCHEMAS.hello);
        return this.#sendTarget();
      case 'need': {
        const { body } = decodeMessage(payload, UP_SCHEMAS.need);
        const { offer } = this;
        const current = offer && { generation: offer.generation, manifest: offer.message.manifest };
        this.distribution.want(DEVICE_ID, body, current, this.now);
        return;
      }
      case 'report': {
        const { id, body } = decodeMessage(payload, UP_SCHEMAS.report);
        const publicKey = Buffer.from(publicKeyBase64(deviceKey), 'base64');
        this.reports.push(verifyReport(body.report, publicKey));
        return this.#send('ack', { of: id });
      }
      case 'profile': {
        const { id } = decodeMessage(payload, UP_SCHEMAS.profile);
        return this.#send('ack', { of: id });
      }
      case 'telemetry':
        return;
    }
  }

  #sendTarget(): void {
    if (this.offer) this.#send('target', this.offer.message);
  }

  #send(kind: 'target' | 'ack', body: object): void {
    const envelope = { id: 'm', sentAt: new Date(this.wall).toISOString(), epoch: 1 };
    this.#carry(encodeMessage(envelope, body), (bytes) => this.#arrive(kind, bytes));
  }

  #arrive(kind: DownKind, bytes: Uint8Array): void {
    this.device.receive(kind, bytes);
  }

  #sendChunks(): void {
    for (;;) {
      const next = this.distribution.next(this.now);
      if (next.kind !== 'send' || !this.offer) return;
      const { manifest, index } = next.dispatch;
      const payload = chunkOf(this.offer.artifact, manifest, index);
      const frame = encodeChunk({ artifactSha256: manifest.sha256, index, payload });
      this.#carry(frame, (bytes) => this.#arrive('chunk', bytes));
    }
  }

  #carry(bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    const fate = this.fate();
    if (fate === 'lost') return;
    const carried = Uint8Array.from(bytes);
    if (fate === 'corrupt') {
      this.#damage += 7919;
      const at = this.#damage % carried.length;
      carried[at] = (carried[at] ?? 0) ^ (1 << (this.#damage % 7));
    }
    const run = (): void => {
      try {
        arrive(carried);
      } catch (error) {
        // As the server does with what is malformed, or signed by nobody.
        if (!(error instanceof ProtocolError || error instanceof TrustError)) throw error;
      }
    };
    this.#at(fate === 'late' ? 700 : LINK_MS, run);
    if (fate === 'twice') this.#at(3 * LINK_MS, run);
  }

  #at(ms: number, run: () => void): () => void {
    const event = { at: this.now + ms, run, live: true };
    this.#queue.push(event);
    return () => {
      event.live = false;
    };
  }
}
