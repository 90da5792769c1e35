import {
  decodeMessage,
  DOWN_SCHEMAS,
  encodeMessage,
  installAfter,
  isSettled,
  ProtocolError,
  type DownKind,
  type Hello,
  type InstallEvent,
  type InstallState,
  type Message,
  type Profile,
} from '@espalier/protocol';
import { signReport, type KeyPair } from '@espalier/trust';
import { randomUUID } from 'node:crypto';
import type { Artifacts } from './artifacts.js';
import { Download } from './download.js';
import { takeTarget } from './intake.js';
import type { Install, Memory } from './memory.js';
import { Outbox } from './outbox.js';
import type { Surroundings } from './surroundings.js';

const AGENT_VERSION = 'simulated';
/** Time that writing, loading and probing take a simulated device. */
const WORK_MS = 20;
const HELLO_AGAIN_MS = 10_000;

/** Who a simulated device is, and how it differs from others. */
export interface DeviceTraits {
  readonly deviceId: string;
  readonly key: KeyPair;
  readonly profile: Profile;
  /** Whether it hashes the whole artifact besides every chunk. */
  readonly checksWhole: boolean;
  readonly failsProbe: boolean;
}

/** What the simulation hears of a device. */
export interface DeviceListener {
  moved(state: InstallState, install: Install, receivedBytes: number): void;
  /** After each chunk, with the share that is held. */
  progressed(share: number): void;
}

/**
 * One device: the agent's protocol, verification, bitmap and install table, without a runtime. What
 * it reports as loaded is the hash that was signed, since nothing is loaded.
 */
export class SimulatedDevice {
  readonly #outbox: Outbox;
  readonly #bootId = randomUUID();
  #download: Download | null = null;
  #confirmed: number | null = null;
  #cancelWork: () => void = () => undefined;
  #cancelHello: () => void = () => undefined;
  #saidProfile = false;

  constructor(
    private readonly traits: DeviceTraits,
    private memory: Memory,
    private readonly artifacts: Artifacts,
    private readonly around: Surroundings,
    private readonly listener: DeviceListener,
  ) {
    this.#outbox = new Outbox(around);
    this.#proceed();
  }

  /** What is on its disk now. */
  get stored(): Memory {
    const { install } = this.memory;
    if (!install || !this.#download) return this.memory;
    return { ...this.memory, install: { ...install, download: this.#download.stored() } };
  }

  get receivedBytes(): number {
    return this.#download?.receivedBytes ?? this.memory.install?.download.receivedBytes ?? 0;
  }

  connected(): void {
    this.#sayHello();
    if (!this.#saidProfile) {
      this.#saidProfile = true;
      this.#outbox.post('profile', { profile: this.traits.profile }, this.memory.epoch);
    }
    this.#outbox.resume();
    this.#download?.resume();
  }

  disconnected(): void {
    this.#confirmed = null;
    this.#cancelHello();
    this.#download?.pause();
  }

  /** The process is gone; {@link stored} is what is left of it. */
  stop(): void {
    this.disconnected();
    this.#download?.stop();
    this.#cancelWork();
    this.#outbox.stop();
  }

  /** Takes a message; one that is not right is dropped. */
  receive(kind: DownKind, payload: Uint8Array): void {
    try {
      if (kind === 'chunk') this.#chunk(payload);
      else this.#control(kind, payload);
      this.#cancelHello();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }

  #chunk(payload: Uint8Array): void {
    const download = this.#download;
    if (!download) return;
    download.receive(payload);
    this.listener.progressed(download.share);
  }

  #control(kind: Exclude<DownKind, 'chunk'>, payload: Uint8Array): void {
    switch (kind) {
      case 'ack': {
        const { body } = decodeMessage(payload, DOWN_SCHEMAS.ack);
        return this.#outbox.acknowledged(body.of);
      }
      case 'measure': {
        const { epoch } = this.memory;
        if (decodeMessage(payload, DOWN_SCHEMAS.measure).epoch < epoch) return;
        return this.#outbox.post('profile', { profile: this.traits.profile }, epoch);
      }
      case 'target':
        return this.#target(decodeMessage(payload, DOWN_SCHEMAS.target));
      case 'shadow':
        // What is simulated runs nothing, so it has no inputs to send.
        return;
    }
  }

  #target({ epoch, body }: Message<Parameters<typeof takeTarget>[0]>): void {
    if (epoch < this.memory.epoch) return;
    const { deviceId } = this.traits;
    const clockMs = this.around.wallClock();
    const intake = takeTarget(body, this.memory, { deviceId, clockMs });
    if (intake.kind === 'dropped') return;
    if (intake.kind === 'new') {
      this.#download?.stop();
      this.#download = null;
      this.#cancelWork();
      this.memory = { ...intake.memory, install: intake.install };
      this.#tell(intake.install);
    } else if (this.memory.install && isSettled(this.memory.install.state)) {
      this.#report(this.memory.install);
    }
    this.#confirmed = this.memory.generation;
    this.#proceed();
  }

  /** Does the work of the install's state, if it is not under way. */
  #proceed(): void {
    const { install, current, previous } = this.memory;
    if (!install) return;
    switch (install.state) {
      case 'accepted': {
        const sha256 = install.variant.model.sha256;
        const isHeld = [current, previous].some((held) => held?.modelSha256 === sha256);
        return this.#advance(install, isHeld ? 'held' : 'begin');
      }
      case 'downloading':
        return this.#receive(install);
      case 'installing':
        return this.#later(() => this.#write(install));
      case 'probing':
        // Only what the server names on this connection: it may have been halted in between.
        if (this.#confirmed === install.generation) this.#later(() => this.#activate(install));
        return;
      default:
        return;
    }
  }

  #receive(install: Install): void {
    if (this.#download) return;
    const download = new Download(
      install.download,
      install.generation,
      () => this.memory.epoch,
      this.artifacts,
      this.around,
      () => {
        this.around.listenTo(null);
        this.#download = null;
        this.#advance(install, 'received', { download: download.stored() });
      },
    );
    this.#download = download;
    this.around.listenTo(install.variant.artifact.sha256);
    download.resume();
  }

  #write(install: Install): void {
    const { manifest } = install.download;
    if (this.traits.checksWhole && this.artifacts.hash(manifest) !== manifest.sha256) {
      this.#fail(install, 'INSTALL_ARTIFACT_HASH', 'The chunks do not make up the artifact.');
    } else {
      this.#advance(install, 'written');
    }
  }

  #activate(install: Install): void {
    if (this.traits.failsProbe) {
      this.#fail(install, 'RUN_PROBE', 'The probe inference is simulated to fail.');
      return;
    }
    const { releaseId, variant } = install;
    const running = { releaseId, variantId: variant.id, modelSha256: variant.model.sha256 };
    const { current } = this.memory;
    this.memory = { ...this.memory, current: running, previous: current };
    this.#advance(install, 'passed');
  }

  #fail(install: Install, code: string, message: string): void {
    this.#advance(install, 'fail', { failure: { code, message } });
  }

  #advance(install: Install, event: InstallEvent, changes: Partial<Install> = {}): void {
    const state = installAfter(install.state, event);
    if (!state) return;
    const next = { ...install, ...changes, state };
    this.memory = { ...this.memory, install: next };
    this.#tell(next);
    this.#proceed();
  }

  #tell(install: Install): void {
    this.#report(install);
    this.listener.moved(install.state, install, this.receivedBytes);
  }

  #report({ generation, releaseId, variant, state, failure }: Install): void {
    const isActive = state === 'active';
    const payload = {
      type: 'report' as const,
      deviceId: this.traits.deviceId,
      generation,
      releaseId,
      variantId: variant.id,
      state,
      loadedSha256: isActive ? variant.model.sha256 : null,
      probe: isActive ? { latencyMs: 1, finite: true } : null,
      running: this.memory.current,
      failure,
      receivedBytes: this.receivedBytes,
      at: new Date(this.around.wallClock()).toISOString(),
    };
    this.#outbox.post(
      'report',
      { report: signReport(payload, this.traits.key) },
      this.memory.epoch,
    );
  }

  #later(work: () => void): void {
    this.#cancelWork();
    this.#cancelWork = this.around.after(WORK_MS, work);
  }

  #sayHello(): void {
    const { generation, current, epoch } = this.memory;
    const hello: Hello = {
      agentVersion: AGENT_VERSION,
      bootId: this.#bootId,
      generation,
      running: current,
      profileSha256: null,
    };
    const sentAt = new Date(this.around.wallClock()).toISOString();
    this.around.send('hello', encodeMessage({ id: randomUUID(), sentAt, epoch }, hello));
    const waitMs = HELLO_AGAIN_MS * (0.75 + this.around.random() / 2);
    this.#cancelHello = this.around.after(waitMs, () => this.#sayHello());
  }
}
