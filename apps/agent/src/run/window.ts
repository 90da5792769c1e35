import { encodeSketch, WindowSketch, type StreamMemory } from '@espalier/evidence';
import type { ShadowLosses, Telemetry } from '@espalier/protocol';
import type { Inference } from './requests.js';
import type { Running } from './running.js';

const MOST_LATENCIES = 10_000;

/** What one window of serving measured so far; bounded, however long the window. */
export class TelemetryWindow {
  readonly #latencies: number[] = [];
  #inferences = 0;
  #errors = 0;
  #labelled = 0;
  #correct = 0;
  #sum = 0;
  #max = 0;
  readonly #sketch = new WindowSketch();

  /**
   * @param start in milliseconds since 1970, and by a clock that is never set
   * @param memory what is remembered of the stream that this window is a part of
   */
  constructor(
    private readonly start: { readonly wallMs: number; readonly steadyMs: number },
    private readonly memory: StreamMemory,
  ) {}

  /** Counts one inference. Past a bound, later latencies take the places of earlier ones in turn. */
  add(inference: Omit<Inference, 'finite' | 'kept'>): void {
    this.#latencies[this.#inferences % MOST_LATENCIES] = inference.latencyMs;
    this.#inferences += 1;
    this.#sum += inference.latencyMs;
    this.#max = Math.max(this.#max, inference.latencyMs);
    this.#labelled += inference.labelled;
    this.#correct += inference.correct;
    this.#sketch.latencyMs.add(inference.latencyMs);
    for (const { input, output } of inference.seen) this.#sketch.add(input, output, this.memory);
  }

  /** Counts what the device's application learned about earlier inferences. */
  addFeedback({ labelled, correct }: { labelled: number; correct: number }): void {
    this.#labelled += labelled;
    this.#correct += correct;
  }

  /** Whether nothing was counted. */
  get empty(): boolean {
    return this.#inferences === 0 && this.#errors === 0 && this.#labelled === 0;
  }

  addError(): void {
    this.#errors += 1;
  }

  /** The window as it is reported. */
  close(context: {
    readonly running: Running;
    readonly end: { readonly wallMs: number; readonly steadyMs: number };
    readonly rssBytes: number;
    readonly restarts: number;
    readonly emulatedSlowdown: number | null;
    readonly shadowLosses?: ShadowLosses | undefined;
  }): Telemetry {
    const { generation, modelBytes, releaseId, variantId, modelSha256 } = context.running;
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    return {
      generation,
      running: { releaseId, variantId, modelSha256 },
      from: new Date(this.start.wallMs).toISOString(),
      to: new Date(context.end.wallMs).toISOString(),
      inferences: this.#inferences,
      errors: this.#errors,
      latencyMs:
        this.#inferences === 0
          ? null
          : {
              p50: quantile(sorted, 0.5),
              p95: quantile(sorted, 0.95),
              max: this.#max,
              mean: this.#sum / this.#inferences,
            },
      memory: { rssBytes: context.rssBytes, modelBytes },
      accuracy: this.#labelled === 0 ? null : { labelled: this.#labelled, correct: this.#correct },
      restarts: context.restarts,
      emulatedSlowdown: context.emulatedSlowdown,
      durationMs: Math.max(0, Math.round(context.end.steadyMs - this.start.steadyMs)),
      sketch: encodeSketch(this.#sketch),
      ...(context.shadowLosses ? { shadowLosses: context.shadowLosses } : {}),
    };
  }
}

/** The smallest value that at least a share `q` of the sorted values does not exceed. */
function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}
