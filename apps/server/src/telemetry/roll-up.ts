import { decodeSketch, encodeSketch, EvidenceError, WindowSketch } from '@espalier/evidence';
import { counterSchema, type Figures, type Telemetry } from '@espalier/protocol';
import { z } from 'zod';
import type { AccuracyEstimate } from './accuracy-estimate.js';

/** What is kept of many windows; any two can be merged, in any order. */
export const rollUpSchema = z.object({
  windows: counterSchema,
  /** Device time that the windows cover. */
  seconds: z.number().nonnegative(),
  inferences: counterSchema,
  errors: counterSchema,
  restarts: counterSchema,
  labelled: counterSchema,
  correct: counterSchema,
  /** Sum of latencies, their number, and the largest; milliseconds. */
  latencySumMs: z.number().nonnegative(),
  latencyCount: counterSchema,
  latencyMaxMs: z.number().nonnegative(),
  rssMaxBytes: counterSchema,
  modelMaxBytes: counterSchema,
  /** Merged sketches of the windows that had one. */
  sketch: z.string().nullable(),
});
type Stored = z.infer<typeof rollUpSchema>;
type Sums = Omit<Stored, 'sketch'>;

const SUMMED = [
  'windows',
  'seconds',
  'inferences',
  'errors',
  'restarts',
  'labelled',
  'correct',
  'latencySumMs',
  'latencyCount',
] as const;
const LARGEST = ['latencyMaxMs', 'rssMaxBytes', 'modelMaxBytes'] as const;

/** A device may say any number; what is stored stays one that can be read again. */
const MOST = Number.MAX_SAFE_INTEGER;

/** Sums over windows of many devices. */
export class RollUp {
  readonly sums: Sums = {
    ...{ windows: 0, seconds: 0, inferences: 0, errors: 0, restarts: 0 },
    ...{ labelled: 0, correct: 0, latencySumMs: 0, latencyCount: 0, latencyMaxMs: 0 },
    ...{ rssMaxBytes: 0, modelMaxBytes: 0 },
  };
  #sketch: WindowSketch | null = null;

  get sketch(): WindowSketch | null {
    return this.#sketch;
  }

  /**
   * Adds a window that lasted so long.
   * @param sketch the window's, where it has one that can be read
   * @param restarts that it is the first to tell of; the window itself has all there ever were
   */
  add(window: Telemetry, seconds: number, sketch: WindowSketch | null, restarts: number): void {
    const { latencyMs, accuracy, memory, inferences } = window;
    this.#sum({
      ...{ windows: 1, seconds, inferences, errors: window.errors, restarts },
      labelled: accuracy?.labelled ?? 0,
      correct: Math.min(accuracy?.correct ?? 0, accuracy?.labelled ?? 0),
      latencySumMs: Math.max(0, latencyMs?.mean ?? 0) * inferences,
      latencyCount: latencyMs ? inferences : 0,
      latencyMaxMs: Math.max(0, latencyMs?.max ?? 0),
      ...{ rssMaxBytes: memory.rssBytes, modelMaxBytes: memory.modelBytes },
    });
    if (sketch) this.#mergeSketch(sketch);
  }

  merge(other: RollUp): void {
    this.#sum(other.sums);
    if (other.#sketch) this.#mergeSketch(other.#sketch);
  }

  /** Merges what {@link stored} gave; a sketch that cannot be read is left out. */
  mergeStored(stored: Stored): void {
    this.merge(RollUp.of(stored));
  }

  /** What {@link stored} gave, by itself. */
  static of({ sketch, ...sums }: Stored): RollUp {
    const rollUp = new RollUp();
    rollUp.#sum(sums);
    if (sketch !== null) rollUp.#sketch = sketchOf(sketch);
    return rollUp;
  }

  stored(): Stored {
    return { ...this.sums, sketch: this.#sketch ? encodeSketch(this.#sketch) : null };
  }

  #sum(other: Sums): void {
    for (const name of SUMMED) this.sums[name] = Math.min(MOST, this.sums[name] + other[name]);
    for (const name of LARGEST) this.sums[name] = Math.max(this.sums[name], other[name]);
  }

  #mergeSketch(sketch: WindowSketch): void {
    this.#sketch ??= new WindowSketch();
    this.#sketch.merge(sketch);
  }
}

function sketchOf(text: string): WindowSketch | null {
  try {
    return decodeSketch(text);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    return null;
  }
}

/** Sums as they are shown: shares and means, null where nothing was counted. */
export function figuresOf({ sums, sketch }: RollUp, estimate: AccuracyEstimate): Figures {
  const { windows, inferences, errors, restarts, labelled, correct, latencyCount } = sums;
  return {
    ...{ windows, inferences, errors, restarts },
    accuracy: labelled > 0 ? { labelled, correct, value: correct / labelled } : null,
    accuracyEstimate: estimate.shown(),
    latencyMs:
      latencyCount > 0
        ? {
            mean: sums.latencySumMs / latencyCount,
            p50: sketch?.latencyMs.quantile(0.5) ?? null,
            p95: sketch?.latencyMs.quantile(0.95) ?? null,
            max: sums.latencyMaxMs,
          }
        : null,
    memory: { rssMaxBytes: sums.rssMaxBytes, modelMaxBytes: sums.modelMaxBytes },
  };
}
