import type { Logger } from 'pino';
import { failureOf } from '../errors.js';
import { WorkerCallError } from '../run/model-worker.js';
import type { Running } from '../run/running.js';
import type { Serving } from '../run/serving.js';
import type { Install, Slot, StateStore } from '../store/agent-state.js';
import type { Loader } from './loader.js';
import type { Progress } from './progress.js';
import { contentOf, type SlotFiles } from './slots.js';

/** Reasons that lie in a slot's file, so that it is of no more use. */
const SPOILT: ReadonlySet<string> = new Set([
  'RUN_FILE',
  'RUN_OTHER_HASH',
  'RUN_EXTERNAL_DATA',
  'RUN_LOAD',
  'RUN_PROBE',
  'INSTALL_CRASH_LOOP',
]);

/** The model that serves, who takes its place, and the way back. */
export class Incumbent {
  #running: Running | null = null;

  constructor(
    private readonly state: StateStore,
    private readonly files: SlotFiles,
    private readonly loader: Loader,
    private readonly serving: Serving,
    private readonly progress: Progress,
    private readonly log: Logger,
  ) {}

  /** What the worker has loaded now. */
  get running(): Running | null {
    return this.#running;
  }

  /**
   * Loads the current model or, when its file is of no more use, the previous one for good; an
   * install that had made it current has then failed.
   */
  async load(): Promise<void> {
    const { current: slot } = this.state.value;
    await this.#vacate();
    if (slot === null) return;
    try {
      const { running } = await this.loader.load(slot);
      this.#serve(running);
    } catch (error) {
      const failure = error instanceof WorkerCallError ? error.failure : failureOf(error);
      this.log.error({ slot, failure }, 'the current model cannot be loaded');
      if (!SPOILT.has(failure.code)) return;
      const { install, previous, slots } = this.state.value;
      this.state.change({ current: previous, previous: null, slots: { ...slots, [slot]: null } });
      if (install?.state === 'active' && install.slot === slot) {
        const loadedSha256 = error instanceof WorkerCallError ? error.loadedSha256 : null;
        const changes = { failure, loadedSha256, probe: null };
        this.progress.advance(install, 'fail', { changes, tells: false });
      }
      await this.load();
    }
  }

  /**
   * Puts an install's model in the place of what serves; the former one becomes the way back.
   * @throws AgentError, WorkerCallError with nothing loaded: {@link load} brings the former back
   */
  async replace(install: Install): Promise<void> {
    const { current: former } = this.state.value;
    // What becomes of the new model must not be counted against the former one.
    if (former !== null && this.#running) this.loader.settle(former);
    await this.#vacate();
    const { slots } = this.state.value;
    const content = contentOf(install, slots[install.slot]?.loads ?? 0);
    this.state.change({ slots: { ...slots, [install.slot]: content } });
    const { running, probe } = await this.loader.load(install.slot);
    const { current, previous } = this.state.value;
    // Known before it is reported, since the report says what runs.
    this.#running = running;
    this.progress.advance(install, 'passed', {
      changes: {
        loadedSha256: running.modelSha256,
        probe: { latencyMs: probe.latencyMs, finite: probe.finite },
      },
      others: {
        current: install.slot,
        previous: current === install.slot ? previous : current,
      },
    });
    this.#serve(running);
  }

  /** Does `task` while nothing is served. */
  async undisturbed(task: () => Promise<void>): Promise<void> {
    await this.serving.stop();
    await task();
    if (this.#running) this.serving.start(this.#running);
  }

  /** Forgets what a slot holds, then removes its file. */
  clear(slot: Slot): void {
    const { slots, previous } = this.state.value;
    if (!slots[slot]) return;
    this.state.change({
      slots: { ...slots, [slot]: null },
      previous: previous === slot ? null : previous,
    });
    this.files.remove(slot);
  }

  /** Ends in good order: the next start is not counted as one after a crash. */
  async stop(): Promise<void> {
    await this.serving.stop();
    const { current } = this.state.value;
    if (current !== null && this.#running) this.loader.settle(current);
  }

  #serve(running: Running): void {
    this.#running = running;
    this.serving.start(running);
  }

  async #vacate(): Promise<void> {
    await this.serving.stop();
    this.#running = null;
  }
}
