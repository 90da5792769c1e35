import type { InstallState } from '@espalier/protocol';
import { Artifacts } from './artifacts.js';
import { Connection } from './connection.js';
import { SimulatedDevice } from './device.js';
import { enrol, type Identity, type Site } from './enrolment.js';
import { faultOf, type Fault } from './faults.js';
import { emptyMemory, type Memory } from './memory.js';
import { simulatedProfile } from './profile.js';

const ENROL_AT_ONCE = 8;
const CHECKS_WHOLE_EVERY = 20;
const CLOCK_SKEW_MS = -10 * 365 * 86_400_000;
const CORRUPT_EVERY = 5;
/** Where in a download a fault strikes. */
const FAULT_SHARE = 0.5;

/** How many devices, and what befalls them. */
export interface SimulationOptions {
  readonly site: Site;
  readonly devices: number;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly memoryMiB: number;
  readonly faults: ReadonlyMap<Fault, number>;
  /** How long a cut or restarted device stays away. */
  readonly awayMs: number;
}

/** What a simulated device did, as it is told. */
export interface Told {
  readonly deviceId: string;
  readonly fault: Fault | null;
  readonly generation: number;
  readonly state: InstallState;
  /** Since the target came. */
  readonly seconds: number;
  readonly receivedBytes: number;
  /** Received after the fault had struck. */
  readonly againBytes: number;
}

/** A fleet in one process. */
export class Simulation {
  readonly #artifacts = new Artifacts();
  readonly #members: Member[] = [];

  constructor(
    private readonly options: SimulationOptions,
    private readonly tell: (told: Told) => void,
  ) {}

  get connected(): number {
    return this.#members.filter(({ ready }) => ready).length;
  }

  /** Enrols and connects every device. @throws EnrolmentError, TrustError */
  async start(): Promise<void> {
    const { devices, site, name, labels } = this.options;
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < devices) {
        const position = next++;
        const identity = await enrol(site, `${name}-${position}`, labels);
        const member = new Member(identity, position, this.options, this.#artifacts, this.tell);
        this.#members.push(member);
        member.start();
      }
    };
    await Promise.all(Array.from({ length: ENROL_AT_ONCE }, work));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()));
  }
}

/** A device with its connection and its fault. */
class Member {
  readonly #fault: Fault | null;
  readonly #connection: Connection;
  #device: SimulatedDevice;
  #struck = false;
  #bytesBefore = 0;
  #chunks = 0;
  #begun = { generation: 0, at: 0 };

  constructor(
    private readonly identity: Identity,
    private readonly position: number,
    private readonly options: SimulationOptions,
    private readonly artifacts: Artifacts,
    private readonly tell: (told: Told) => void,
  ) {
    this.#fault = faultOf(options.faults, position);
    this.#device = this.#boot(emptyMemory(identity.root));
    this.#connection = new Connection(identity.deviceId, identity.login, {
      connected: () => this.#device.connected(),
      disconnected: () => this.#device.disconnected(),
      message: (kind, payload) => {
        this.#device.receive(kind, kind === 'chunk' ? this.#carried(payload) : payload);
      },
    });
  }

  get ready(): boolean {
    return this.#connection.ready;
  }

  start(): void {
    this.#connection.start();
  }

  async stop(): Promise<void> {
    this.#device.stop();
    await this.#connection.stop();
  }

  #boot(memory: Memory): SimulatedDevice {
    const { deviceId, key } = this.identity;
    const skewMs = this.#fault === 'skew' ? CLOCK_SKEW_MS : 0;
    return new SimulatedDevice(
      {
        deviceId,
        key,
        profile: simulatedProfile(this.options.memoryMiB, new Date()),
        checksWhole: this.position % CHECKS_WHOLE_EVERY === 0,
        failsProbe: this.#fault === 'probe',
      },
      memory,
      this.artifacts,
      {
        now: () => performance.now(),
        wallClock: () => Date.now() + skewMs,
        random: Math.random,
        after: (ms, callback) => {
          const timer = setTimeout(callback, ms);
          return () => clearTimeout(timer);
        },
        send: (kind, payload) => this.#connection.send(kind, payload),
        listenTo: (artifactSha256) => this.#connection.listenTo(artifactSha256),
      },
      {
        moved: (state, { generation }, receivedBytes) => {
          this.#moved(state, generation, receivedBytes);
        },
        progressed: (share) => this.#progressed(share),
      },
    );
  }

  #moved(state: InstallState, generation: number, receivedBytes: number): void {
    if (generation !== this.#begun.generation) {
      this.#begun = { generation, at: performance.now() };
    }
    this.tell({
      deviceId: this.identity.deviceId,
      fault: this.#fault,
      generation,
      state,
      seconds: (performance.now() - this.#begun.at) / 1000,
      receivedBytes,
      againBytes: this.#struck ? receivedBytes - this.#bytesBefore : 0,
    });
  }

  #progressed(share: number): void {
    if (this.#struck || share < FAULT_SHARE || this.#fault === null) return;
    this.#struck = true;
    this.#bytesBefore = this.#device.receivedBytes;
    switch (this.#fault) {
      case 'cut':
        return this.#connection.cut(this.options.awayMs);
      case 'restart': {
        const stored = JSON.parse(JSON.stringify(this.#device.stored)) as Memory;
        this.#device.stop();
        this.#connection.cut(this.options.awayMs);
        this.#device = this.#boot(stored);
        return;
      }
      case 'stall':
        this.#connection.reading = 'not';
        return;
      case 'slow':
        this.#connection.reading = 'slow';
        return;
      default:
        return;
    }
  }

  /** A chunk as it comes over this device's link. */
  #carried(payload: Uint8Array): Uint8Array {
    this.#chunks += 1;
    if (this.#fault !== 'corrupt' || this.#chunks % CORRUPT_EVERY !== 0) return payload;
    const damaged = Uint8Array.from(payload);
    const last = damaged.length - 1;
    damaged[last] = (damaged[last] ?? 0) ^ 1;
    return damaged;
  }
}
