import { StreamMemory } from '@espalier/evidence';
import type { Telemetry } from '@espalier/protocol';
import type { Logger } from 'pino';
import type { Shadowing } from '../shadow/shadowing.js';
import type { ModelWorker } from './model-worker.js';
import type { Running } from './running.js';
import { TelemetryWindow } from './window.js';

/** How a device serves. */
export interface ServingOptions {
  readonly hasInput: boolean;
  readonly inferenceIntervalMs: number;
  readonly telemetryIntervalMs: number;
  readonly emulatedSlowdown: number | null;
  readonly restarts: number;
}

/** Runs the loaded model again and again, and reports a window at each interval. */
export class Serving {
  #running: Running | null = null;
  #memory = new StreamMemory();
  #window = new TelemetryWindow(now(), this.#memory);
  #nextInference: NodeJS.Timeout | undefined;
  #nextReport: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly worker: ModelWorker,
    private readonly options: ServingOptions,
    private readonly shadow: Shadowing,
    private readonly report: (telemetry: Telemetry) => void,
    private readonly log: Logger,
  ) {}

  /** Serves with the model that the worker has loaded. */
  start(running: Running): void {
    this.#running = running;
    this.shadow.abandon();
    this.#memory = new StreamMemory();
    this.#window = new TelemetryWindow(now(), this.#memory);
    this.#nextReport = setInterval(() => this.#close(), this.options.telemetryIntervalMs);
    if (this.options.hasInput) this.#schedule(0);
  }

  /**
   * Counts labels that the device's application learned later.
   * @returns whether that model is the one that serves; labels of another are not counted
   */
  feedback(modelSha256: string, counts: { labelled: number; correct: number }): boolean {
    if (this.#running?.modelSha256 !== modelSha256) return false;
    this.#window.addFeedback(counts);
    return true;
  }

  /** Stops; resolves when no inference is under way. What was measured is reported. */
  async stop(): Promise<void> {
    clearTimeout(this.#nextInference);
    clearInterval(this.#nextReport);
    await this.#turn;
    clearTimeout(this.#nextInference);
    if (this.#running && !this.#window.empty) this.#close();
    this.#running = null;
  }

  #schedule(waitMs: number): void {
    this.#nextInference = setTimeout(() => {
      const started = performance.now();
      this.#turn = this.#infer().then(() => {
        const spent = performance.now() - started;
        if (this.#running) this.#schedule(Math.max(0, this.options.inferenceIntervalMs - spent));
      });
    }, waitMs);
  }

  async #infer(): Promise<void> {
    const running = this.#running;
    try {
      const keep = running ? this.shadow.draw(running) : null;
      const inference = await this.worker.call('infer', keep);
      // Of the window that is open now: another one may have been when it began.
      this.#window.add(inference);
      if (running && inference.kept) this.shadow.offer(inference.kept, running);
    } catch (error) {
      this.#window.addError();
      this.log.warn({ err: error }, 'inference failed');
    }
  }

  #close(): void {
    if (!this.#running) return;
    const end = now();
    const { emulatedSlowdown, restarts } = this.options;
    const telemetry = this.#window.close({
      running: this.#running,
      end,
      rssBytes: process.memoryUsage.rss(),
      restarts,
      emulatedSlowdown,
      shadowLosses: this.shadow.losses(),
    });
    this.#window = new TelemetryWindow(end, this.#memory);
    this.report(telemetry);
  }
}

const now = (): { wallMs: number; steadyMs: number } => ({
  wallMs: Date.now(),
  steadyMs: performance.now(),
});
