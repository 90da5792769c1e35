import {
  LIMITS,
  packTensor,
  spacedValues,
  type Sampling,
  type ShadowLosses,
  type ShadowOrder,
  type ShadowSample,
} from '@espalier/protocol';
import type { Logger } from 'pino';
import type { KeptInput } from '../run/requests.js';
import type { Running } from '../run/running.js';
import { DailyAllowance } from './daily-allowance.js';
import type { ShadowSpool } from './shadow-spool.js';
import { SlotSampler, type Uniform } from './slot-sampler.js';

const HOUR_MS = 3_600_000;

/** By which clocks and chances. */
export interface ShadowSources {
  /** Milliseconds by a clock that is never set. */
  steadyMs(): number;
  wallMs(): number;
  readonly random: Uniform;
}

interface Candidate {
  readonly kept: KeptInput;
  readonly running: Running;
  readonly takenAt: string;
}

/**
 * Sends a few of the inputs that the model was fed, as the server orders and only if the device's
 * owner allows it. The inference does no more than hand over its input; packing is done off the thread.
 */
export class Shadowing {
  #order: ShadowOrder | null = null;
  #candidate: Candidate | null = null;
  #packing: Promise<void> | null = null;
  #tooLarge = 0;
  #overBudget = 0;
  #unpacked = 0;
  #droppedTold = 0;
  readonly #sampler: SlotSampler;
  readonly #allowance: DailyAllowance;

  /**
   * @param bytesPerDay most that the device's owner lets go in a day, whatever is ordered, for an order is
   * not signed; null: nothing
   */
  constructor(
    private readonly bytesPerDay: number | null,
    private readonly samples: Pick<ShadowSpool, 'post' | 'clear' | 'dropped'>,
    private readonly sources: ShadowSources,
    private readonly log: Logger,
  ) {
    this.#sampler = new SlotSampler(sources.random);
    this.#allowance = new DailyAllowance(sources.steadyMs());
    if (bytesPerDay === null) samples.clear();
  }

  /** What the server wants from now on. */
  take(order: ShadowOrder): void {
    this.forget();
    if (order.sampling === null) this.samples.clear();
    else if (this.bytesPerDay === null) {
      this.log.info('the server asks for shadow samples; this device does not allow them');
      return;
    }
    this.#order = order.sampling ? { ...order, sampling: this.#bounded(order.sampling) } : order;
  }

  /** A new connection: what the server ordered before it may be ordered no more. */
  forget(): void {
    this.#order = null;
    this.abandon();
  }

  /** Another model is about to serve: the slot that has begun is left. */
  abandon(): void {
    this.#candidate = null;
    this.#sampler.reset();
  }

  /**
   * Draws for the next inference, and sends what a slot that has ended left.
   * @returns a chance by which the inference picks the row of its batch to keep; null: none
   */
  draw(running: Running): number | null {
    const sampling = this.#samplingOf(running);
    if (!sampling) return null;
    const { share, perHour } = sampling;
    const { closes, keeps } = this.#sampler.draw(this.sources.steadyMs(), share, HOUR_MS / perHour);
    if (closes) this.#close(sampling);
    return keeps ? this.sources.random.next() : null;
  }

  /** Takes what an inference has kept. */
  offer(kept: KeptInput, running: Running): void {
    const takenAt = new Date(this.sources.wallMs()).toISOString();
    if (this.#samplingOf(running)) this.#candidate = { kept, running, takenAt };
  }

  /** Resolves when what a slot left is kept, or lost. */
  async settled(): Promise<void> {
    await this.#packing;
  }

  /** What was lost since the last call; undefined: nothing. */
  losses(): ShadowLosses | undefined {
    const dropped = this.samples.dropped - this.#droppedTold + this.#unpacked;
    const losses = { tooLarge: this.#tooLarge, overBudget: this.#overBudget, dropped };
    this.#droppedTold = this.samples.dropped;
    this.#tooLarge = 0;
    this.#overBudget = 0;
    this.#unpacked = 0;
    return Object.values(losses).some((count) => count > 0) ? losses : undefined;
  }

  /** A day's bytes hold at least two samples, as those of every order do. */
  #bounded(sampling: Sampling): Sampling {
    const bytesPerDay = Math.min(sampling.bytesPerDay, this.bytesPerDay ?? 0);
    const bytesPerSample = Math.min(sampling.bytesPerSample, Math.floor(bytesPerDay / 2));
    return { ...sampling, bytesPerDay, bytesPerSample };
  }

  #samplingOf({ releaseId }: Running): Sampling | null {
    return this.#order?.releaseId === releaseId ? this.#order.sampling : null;
  }

  #close(sampling: Sampling): void {
    const candidate = this.#candidate;
    this.#candidate = null;
    if (!candidate) return;
    if (candidate.kept.data.length > LIMITS.shadowInputValues) {
      this.#tooLarge += 1;
      return;
    }
    if (this.#packing) {
      this.#unpacked += 1;
      return;
    }
    this.#packing = this.#send(candidate, sampling)
      .catch((error: unknown) => {
        this.#unpacked += 1;
        this.log.error({ err: error }, 'a shadow sample cannot be sent');
      })
      .finally(() => (this.#packing = null));
  }

  async #send({ kept, running, takenAt }: Candidate, sampling: Sampling): Promise<void> {
    const { encoding, bytes } = await packTensor(kept.data);
    // Ordered off meanwhile.
    if (this.#samplingOf(running) !== sampling) return;
    if (bytes.byteLength > sampling.bytesPerSample) {
      this.#tooLarge += 1;
      return;
    }
    if (!this.#allowance.take(bytes.byteLength, sampling, this.sources.steadyMs())) {
      this.#overBudget += 1;
      return;
    }
    const { releaseId, variantId, modelSha256 } = running;
    this.samples.post({
      running: { releaseId, variantId, modelSha256 },
      takenAt,
      input: {
        dtype: 'float32',
        dims: [...kept.dims],
        encoding,
        data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
      },
      output: outputOf(kept.output),
    });
  }
}

function outputOf(output: KeptInput['output']): ShadowSample['output'] {
  if ('predicted' in output) return { kind: 'class', ...output };
  const { buffer, byteOffset, byteLength } = spacedValues(output.values);
  const data = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
  return { kind: 'values', length: output.values.length, data };
}
