import {
  isSettled,
  type Failure,
  type Need,
  type Root,
  type TargetMessage,
  type Variant,
} from '@espalier/protocol';
import type { Logger } from 'pino';
import { AgentError, failureOf } from '../errors.js';
import {
  downloadPaths,
  prepareDownload,
  removeDownload,
  storedBytes,
  storedManifest,
} from '../receive/chunk-store.js';
import { Download } from '../receive/download.js';
import { WorkerCallError } from '../run/model-worker.js';
import type { Install, StateStore } from '../store/agent-state.js';
import { installBytes, overBudget } from '../verify/budget.js';
import { Confirmation } from './confirmation.js';
import { expandable, expandArtifact } from './expand.js';
import type { Incumbent } from './incumbent.js';
import { rises, takeTarget } from './intake.js';
import type { Progress } from './progress.js';
import { contentOf, modelBytes, slotHolding, spareSlot, type SlotFiles } from './slots.js';

/** What the installer works with. */
export interface InstallerParts {
  readonly deviceId: string;
  trustedRoot(): Root;
  readonly state: StateStore;
  readonly files: SlotFiles;
  readonly downloadDir: string;
  readonly incumbent: Incumbent;
  readonly progress: Progress;
  readonly limits: {
    readonly memoryBytes?: number | undefined;
    readonly storageBytes?: number | undefined;
  };
  /** Sends a `need`; false when there is no connection. */
  ask(need: Need): boolean;
  /** Listens to the broadcast of an artifact, or to none. */
  listenToContent(artifactSha256: string | null): void;
  /** Tells the server how the install stands. */
  report(): void;
  /** There is nothing left to do for now. */
  rests(): void;
  readonly log: Logger;
}

const RETRY_MS = 5000;

/**
 * Takes targets, and brings the latest acceptable one to an end: received, written, loaded, probed,
 * active; or failed, with the former model running again.
 */
export class Installer {
  #download: Download | null = null;
  #pending: TargetMessage | null = null;
  #turn: Promise<void> | null = null;
  #stopped = false;
  #retry: NodeJS.Timeout | undefined;
  readonly #confirmation = new Confirmation();

  constructor(private readonly parts: InstallerParts) {}

  /** Payload bytes of chunks that came for the present target, repeats counted. */
  get receivedBytes(): number {
    return this.#download?.receivedBytes ?? this.parts.state.value.install?.receivedBytes ?? 0;
  }

  /** Starts what runs, and goes on with what a former process left unfinished. */
  async start(): Promise<void> {
    const { install } = this.parts.state.value;
    if (!install || isSettled(install.state)) removeDownload(this.parts.downloadDir);
    await this.parts.incumbent.load();
    this.#proceed();
  }

  /** Takes a target; one that comes while a model is being loaded waits, and only the newest does. */
  offer(message: TargetMessage): void {
    const isWaiting = this.#download !== null || this.#confirmation.isAwaited;
    if (this.#turn && !isWaiting) {
      this.#pending = message;
      return;
    }
    this.#consider(message);
    this.#confirmation.wake();
    this.#proceed();
  }

  /** Takes a chunk frame. */
  chunk(bytes: Uint8Array): void {
    this.#download?.receive(bytes);
  }

  /** There is a connection, so chunks can be asked for. */
  connected(): void {
    this.#download?.resume();
  }

  disconnected(): void {
    this.#confirmation.forget();
    this.#download?.pause();
  }

  /** The worker broke down, and what it had loaded is gone; a load under way fails by itself. */
  workerLost(): void {
    const { incumbent, report } = this.parts;
    if (this.#turn || this.#stopped || !incumbent.running) return;
    this.#take(async () => {
      await incumbent.load();
      report();
    });
  }

  /** Does `task` while nothing is loaded anew and nothing is served, as for measuring the device. */
  async undisturbed(task: () => Promise<void>): Promise<void> {
    while (this.#turn) await this.#turn;
    this.#take(() => this.parts.incumbent.undisturbed(task));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#download?.cancel();
    this.#confirmation.wake();
    await this.parts.incumbent.stop();
  }

  #proceed(): void {
    if (!this.#turn && !this.#stopped) this.#take(() => this.#work());
  }

  /** Lets one task at a time have the worker and the install. */
  #take(task: () => Promise<void>): void {
    this.#turn = task()
      .catch((error: unknown) => {
        // Not even the failure could be kept, as on a full disk: the state is as it was.
        this.parts.log.error({ err: error }, 'the install stopped, trying again');
        clearTimeout(this.#retry);
        this.#retry = setTimeout(() => this.#proceed(), RETRY_MS);
      })
      .finally(() => {
        this.#turn = null;
        if (this.#pending) this.#proceed();
        else this.parts.rests();
      });
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      const pending = this.#pending;
      this.#pending = null;
      if (pending) this.#consider(pending);
      const { install } = this.parts.state.value;
      if (!install || isSettled(install.state)) {
        if (this.#pending) continue;
        return;
      }
      try {
        await this.#step(install);
      } catch (error) {
        if (this.#stopped) return;
        await this.#fail(install, error);
      }
    }
  }

  #consider(message: TargetMessage): void {
    const { deviceId, state, downloadDir, report, log } = this.parts;
    const intake = takeTarget(message, state.value, {
      deviceId,
      root: this.parts.trustedRoot(),
      clockMs: Date.now(),
      overBudget: (variant) => this.#overBudget(variant),
    });
    if (intake.kind === 'dropped') {
      log.warn(intake.failure, 'target dropped');
      return;
    }
    if (intake.kind === 'known') {
      if (rises(state.value, intake.changes)) state.change(intake.changes);
      this.#confirmation.named(state.value.generation);
      if (intake.settled) report();
      return;
    }
    const { install, changes } = intake;
    this.#download?.cancel();
    if (install.state === 'accepted') prepareDownload(downloadDir, message.manifest);
    state.change({ ...changes, install });
    this.#confirmation.named(install.generation);
    const { generation, variant, failure } = install;
    log.info({ generation, variantId: variant.id, failure }, 'target taken');
    report();
  }

  #overBudget(variant: Variant): Failure | null {
    const { state, limits, files, downloadDir } = this.parts;
    if (!expandable(variant.artifact.encoding)) {
      const message = `This agent cannot expand ${variant.artifact.encoding}.`;
      return { code: 'TARGET_ENCODING', message };
    }
    if (slotHolding(state.value, variant.model.sha256)) return null;
    return overBudget(variant, {
      memoryLimitBytes: limits.memoryBytes,
      storageLimitBytes: limits.storageBytes,
      freeBytes: files.freeBytes() + files.bytes(spareSlot(state.value)),
      keptModelBytes: modelBytes(state.value, state.value.current),
      partBytes: storedBytes(downloadDir, variant.artifact.sha256),
    });
  }

  async #step(install: Install): Promise<void> {
    switch (install.state) {
      case 'accepted': {
        const slot = slotHolding(this.parts.state.value, install.variant.model.sha256);
        if (slot) this.parts.progress.advance(install, 'held', { changes: { slot } });
        else this.#begin(install);
        return;
      }
      case 'downloading':
        return this.#receive(install);
      case 'installing':
        return this.#write(install);
      case 'probing':
        return this.#activate(install);
      default:
        return;
    }
  }

  /** The way back to the model before the current one is given up here only if room is short. */
  #begin(install: Install): void {
    const { state, limits, files, incumbent, progress } = this.parts;
    const { variant, slot } = install;
    const stored = modelBytes(state.value, 'a') + modelBytes(state.value, 'b');
    const limit = limits.storageBytes ?? Infinity;
    const isShort =
      stored + variant.artifact.length > limit || installBytes(variant) > files.freeBytes();
    if (isShort) incumbent.clear(slot);
    progress.advance(install, 'begin');
  }

  async #receive(install: Install): Promise<void> {
    const { downloadDir, log } = this.parts;
    const { artifact } = install.variant;
    const manifest = storedManifest(downloadDir);
    if (manifest?.sha256 !== artifact.sha256) {
      throw new AgentError(
        'TARGET_MANIFEST',
        'The stored manifest is gone; the target must be sent again.',
      );
    }
    const { generation } = install;
    const ask = (need: Need): boolean => this.parts.ask(need);
    const download = new Download({ directory: downloadDir, manifest, generation, ask, log });
    this.#download = download;
    this.parts.listenToContent(artifact.sha256);
    download.resume();
    try {
      if ((await download.end) === 'cancelled') return;
      const { receivedBytes } = download;
      this.parts.progress.advance(install, 'received', { changes: { receivedBytes } });
    } finally {
      this.parts.listenToContent(null);
      this.#download = null;
    }
  }

  async #write(install: Install): Promise<void> {
    const { state, files, downloadDir, incumbent, progress } = this.parts;
    incumbent.clear(install.slot);
    const { artifact } = downloadPaths(downloadDir);
    await expandArtifact(artifact, install.variant, files.path(install.slot));
    const slots = { ...state.value.slots, [install.slot]: contentOf(install) };
    progress.advance(install, 'written', { others: { slots } });
  }

  async #activate(install: Install): Promise<void> {
    const { generation } = install;
    const isPresent = (): boolean =>
      !this.#stopped && this.parts.state.value.install?.generation === generation;
    if (!(await this.#confirmation.of(generation, isPresent))) return;
    await this.parts.incumbent.replace(install);
    removeDownload(this.parts.downloadDir);
  }

  async #fail(install: Install, error: unknown): Promise<void> {
    const { state, downloadDir, incumbent, progress, log } = this.parts;
    const failure = error instanceof WorkerCallError ? error.failure : failureOf(error);
    const loadedSha256 = error instanceof WorkerCallError ? error.loadedSha256 : null;
    log.error({ generation: install.generation, state: install.state, failure }, 'install failed');
    // First, since it is the way out of a full disk.
    removeDownload(downloadDir);
    progress.advance(install, 'fail', { changes: { failure, loadedSha256 }, tells: false });
    if (install.state === 'probing') {
      if (install.slot !== state.value.current) incumbent.clear(install.slot);
      await incumbent.load();
    }
    this.parts.report();
  }
}
