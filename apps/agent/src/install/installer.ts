import type { Manifest, Need, TargetMessage } from '@espalier/protocol';
import { TrustError } from '@espalier/trust';
import type { Logger } from 'pino';
import { AgentError, failureOf } from '../errors.js';
import {
  downloadPaths,
  prepareDownload,
  removeDownload,
  storedManifest,
} from '../receive/chunk-store.js';
import { Download } from '../receive/download.js';
import { WorkerCallError } from '../run/model-worker.js';
import type { Running } from '../run/running.js';
import type { Serving } from '../run/serving.js';
import type { Install, Slot, StateStore } from '../store/agent-state.js';
import { overBudget } from '../verify/budget.js';
import { authenticate, judge, type AuthenticTarget, type Known } from '../verify/target.js';
import { expandArtifact } from './expand.js';
import type { Loader } from './loader.js';
import { after, isSettled, type InstallEvent } from './machine.js';
import { contentOf, slotHolding, spareSlot, type SlotFiles } from './slots.js';

/** What the installer works with. */
export interface InstallerParts {
  readonly deviceId: string;
  readonly trustedRoot: () => Known['root'];
  readonly state: StateStore;
  readonly files: SlotFiles;
  readonly downloadDir: string;
  readonly loader: Loader;
  readonly serving: Serving;
  readonly limits: {
    readonly memoryBytes?: number | undefined;
    readonly storageBytes?: number | undefined;
  };
  /** Sends a `need`; false when there is no connection. */
  ask(need: Need): boolean;
  /** Listens to the broadcast of an artifact, or to none. */
  listenToContent(artifactSha256: string | null): void;
  /** The install changed: tell the server. */
  report(): void;
  readonly log: Logger;
}

/** Reasons that lie in a slot's file, so that it is of no more use. */
const SPOILT: ReadonlySet<string> = new Set([
  'RUN_FILE',
  'RUN_OTHER_HASH',
  'RUN_LOAD',
  'INSTALL_CRASH_LOOP',
]);

/**
 * Takes targets, and brings the latest acceptable one to an end: received, written, loaded, probed,
 * active; or failed, with the former model running again.
 */
export class Installer {
  #running: Running | null = null;
  #download: Download | null = null;
  #pending: TargetMessage | null = null;
  #turn: Promise<void> | null = null;
  #stopped = false;

  constructor(private readonly parts: InstallerParts) {}

  /** What the worker has loaded now. */
  get running(): Running | null {
    return this.#running;
  }

  /** Payload bytes of chunks that came for the present target, repeats counted. */
  get receivedBytes(): number {
    return this.#download?.receivedBytes ?? this.parts.state.value.install?.receivedBytes ?? 0;
  }

  /** Starts what runs, and goes on with what a former process left unfinished. */
  async start(): Promise<void> {
    const { current, install } = this.parts.state.value;
    // A probe takes the worker, so the current model is loaded only if that fails.
    if (current !== null && install?.state !== 'probing') await this.#loadCurrent(current);
    this.#proceed();
  }

  /** Takes a target; one that comes while a model is being loaded waits, and only the newest does. */
  offer(message: TargetMessage): void {
    const state = this.parts.state.value.install?.state;
    if (this.#turn && state !== 'downloading') this.#pending = message;
    else this.#consider(message);
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
    this.#download?.pause();
  }

  /** The worker broke down: what it had loaded is gone. */
  workerLost(): void {
    if (this.#turn || this.#stopped || !this.#running) return;
    this.#running = null;
    const { current } = this.parts.state.value;
    if (current !== null) this.#take(() => this.#loadCurrent(current));
  }

  /** Does `task` while nothing is loaded anew and nothing is served, as for measuring the device. */
  async undisturbed(task: () => Promise<void>): Promise<void> {
    while (this.#turn) await this.#turn;
    this.#take(async () => {
      await this.parts.serving.stop();
      await task();
      if (this.#running) this.parts.serving.start(this.#running);
    });
  }

  /** Stops in good order: the next start is not counted as one after a crash. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#download?.cancel();
    await this.parts.serving.stop();
    const { current } = this.parts.state.value;
    if (current !== null && this.#running) this.parts.loader.settle(current);
  }

  #proceed(): void {
    if (!this.#turn && !this.#stopped) this.#take(() => this.#work());
  }

  /** Lets one task at a time have the worker and the install. */
  #take(task: () => Promise<void>): void {
    this.#turn = task()
      .catch((error: unknown) => this.parts.log.error({ err: error }, 'the install stopped'))
      .finally(() => {
        this.#turn = null;
        if (this.#pending) this.#proceed();
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
    const { deviceId, state, trustedRoot, log } = this.parts;
    const { generation, epoch, timestampVersion, latestTimeMs, install } = state.value;
    const nowMs = Math.max(Date.now(), latestTimeMs);
    const known = { deviceId, root: trustedRoot(), generation, epoch, timestampVersion, nowMs };
    let authentic: AuthenticTarget;
    try {
      authentic = authenticate(message, known);
    } catch (error) {
      if (!(error instanceof TrustError || error instanceof AgentError)) throw error;
      log.warn({ code: error.code, reason: error.message }, 'target dropped');
      return;
    }
    const { target, timestamp } = authentic;
    const isKnown = install?.generation === target.generation;
    const judged = judge(message, authentic, known);
    if (isKnown && (install.state !== 'refused' || 'failure' in judged)) {
      if (isSettled(install.state)) this.parts.report();
      return;
    }
    this.#download?.cancel();
    const failure =
      'failure' in judged ? judged.failure : this.#overBudget(judged.variant, message.manifest);
    const variant = authentic.release.variants.find(({ id }) => id === target.variantId);
    if (!variant) {
      log.warn({ variantId: target.variantId }, 'target names no variant of its release, dropped');
      return;
    }
    if (!failure) prepareDownload(this.parts.downloadDir, message.manifest);
    state.change({
      root: message.root,
      generation: target.generation,
      epoch: Math.max(epoch, target.epoch),
      timestampVersion: Math.max(timestampVersion, timestamp.version),
      latestTimeMs: Math.max(latestTimeMs, Date.parse(timestamp.issued)),
      install: {
        generation: target.generation,
        releaseId: target.releaseId,
        variant,
        slot: spareSlot(state.value),
        state: failure ? 'refused' : 'accepted',
        loadedSha256: null,
        probe: null,
        failure,
        receivedBytes: 0,
      },
    });
    log.info({ generation: target.generation, variantId: variant.id, failure }, 'target taken');
    this.parts.report();
  }

  #overBudget(variant: Install['variant'], manifest: Manifest) {
    const { state, limits, files, downloadDir } = this.parts;
    const { current, slots } = state.value;
    if (slotHolding(state.value, variant.model.sha256)) return null;
    return overBudget(variant, {
      memoryLimitBytes: limits.memoryBytes,
      storageLimitBytes: limits.storageBytes,
      freeBytes: files.freeBytes(),
      keptModelBytes: current === null ? 0 : (slots[current]?.model.length ?? 0),
      partBytes: storedManifest(downloadDir)?.sha256 === manifest.sha256 ? manifest.length : 0,
    });
  }

  async #step(install: Install): Promise<void> {
    switch (install.state) {
      case 'accepted': {
        const held = slotHolding(this.parts.state.value, install.variant.model.sha256);
        if (held) this.#advance(install, 'held', { slot: held });
        else this.#advance(install, 'begin');
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
      const end = await download.end;
      if (end === 'whole') {
        this.#advance(install, 'received', { receivedBytes: download.receivedBytes });
      }
    } finally {
      this.parts.listenToContent(null);
      this.#download = null;
    }
  }

  async #write(install: Install): Promise<void> {
    const { state, files, downloadDir } = this.parts;
    const { slots, previous } = state.value;
    if (slots[install.slot]) {
      state.change({
        slots: { ...slots, [install.slot]: null },
        previous: previous === install.slot ? null : previous,
      });
    }
    const { artifact } = downloadPaths(downloadDir);
    await expandArtifact(artifact, install.variant, files.path(install.slot));
    const content = contentOf(install);
    const { slots: cleared } = state.value;
    this.#advance(install, 'written', {}, { slots: { ...cleared, [install.slot]: content } });
  }

  async #activate(install: Install): Promise<void> {
    const { state, serving, loader, downloadDir } = this.parts;
    await serving.stop();
    this.#running = null;
    const { slots } = state.value;
    const loads = slots[install.slot]?.loads ?? 0;
    state.change({ slots: { ...slots, [install.slot]: contentOf(install, loads) } });
    const { running, probe } = await loader.load(install.slot);
    this.#running = running;
    const { current, previous } = state.value;
    const changes = {
      current: install.slot,
      previous: current === install.slot ? previous : current,
    };
    const { latencyMs, finite } = probe;
    this.#advance(
      install,
      'passed',
      { loadedSha256: running.modelSha256, probe: { latencyMs, finite } },
      changes,
    );
    removeDownload(downloadDir);
    serving.start(running);
  }

  async #fail(install: Install, error: unknown): Promise<void> {
    const { state, downloadDir, log } = this.parts;
    const isOther = error instanceof WorkerCallError;
    const failure = isOther ? error.failure : failureOf(error);
    log.error({ generation: install.generation, state: install.state, failure }, 'install failed');
    const wasProbing = install.state === 'probing';
    const { slots, current, previous } = state.value;
    const spoilt = wasProbing && install.slot !== current;
    this.#advance(
      install,
      'fail',
      { failure, loadedSha256: isOther ? error.loadedSha256 : null },
      spoilt
        ? {
            slots: { ...slots, [install.slot]: null },
            previous: previous === install.slot ? null : previous,
          }
        : {},
      false,
    );
    removeDownload(downloadDir);
    if (wasProbing && current !== null) await this.#loadCurrent(current);
    this.parts.report();
  }

  /** Loads the current model or, when its slot is spoilt, the previous one for good. */
  async #loadCurrent(slot: Slot): Promise<void> {
    const { state, loader, serving, log } = this.parts;
    await serving.stop();
    try {
      const { running } = await loader.load(slot);
      this.#running = running;
      serving.start(running);
    } catch (error) {
      const loadedSha256 = error instanceof WorkerCallError ? error.loadedSha256 : null;
      const failure = error instanceof WorkerCallError ? error.failure : failureOf(error);
      log.error({ slot, failure }, 'the current model cannot be loaded');
      if (!SPOILT.has(failure.code)) return;
      const { install, previous, slots } = state.value;
      state.change({ current: previous, previous: null, slots: { ...slots, [slot]: null } });
      if (install?.state === 'active' && install.slot === slot) {
        this.#advance(install, 'fail', { failure, loadedSha256, probe: null }, {}, false);
      }
      if (previous !== null) await this.#loadCurrent(previous);
      this.parts.report();
    }
  }

  /** Persists where an event leads, together with what else changes, then tells the server. */
  #advance(
    install: Install,
    event: InstallEvent,
    changes: Partial<Install> = {},
    others: Parameters<StateStore['change']>[0] = {},
    tells = true,
  ): void {
    const next = after(install.state, event);
    const latest = this.parts.state.value.install;
    if (!next || latest?.generation !== install.generation || latest.state !== install.state)
      return;
    this.parts.state.change({ ...others, install: { ...latest, ...changes, state: next } });
    this.parts.log.info({ generation: install.generation, state: next }, 'install state');
    if (tells) this.parts.report();
  }
}
