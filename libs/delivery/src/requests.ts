import type { Need } from '@espalier/protocol';
import type { Receiver } from './receiver.js';

/**
 * Most chunks under way. At 64 KiB they stay under the megabyte that the broker lets wait for one
 * client before it drops chunks.
 */
const WINDOW = 15;
const SHORTEST_PATIENCE_MS = 2000;
const LONGEST_PATIENCE_MS = 60_000;

/**
 * What a device asks for, and how long it waits for an answer. Chunks that come without having been
 * asked for, from a broadcast for others, count as well; so while one flows, little is asked.
 *
 * The patience follows the time between chunks as TCP's timeout follows the round trip (RFC 6298),
 * doubles with each stall, and is spread by a quarter, so that devices that lost their server
 * together do not ask together.
 */
export class Requests {
  #gapMs: number | null = null;
  #deviationMs = 0;
  #lastAt: number | null = null;
  #stalls = 0;

  /**
   * @param generation of the target that the chunks are for
   * @param random uniform in [0, 1)
   */
  constructor(
    private readonly receiver: Receiver,
    private readonly generation: number,
    private readonly random: () => number,
  ) {}

  /** The `need` to send now; null: enough is under way, or nothing is missing. */
  next(): Need | null {
    const { receiver, generation } = this;
    receiver.giveUpOvertaken(2 * WINDOW);
    if (receiver.outstanding > WINDOW / 2) return null;
    const indices = receiver.ask(WINDOW);
    if (indices.length === 0) return null;
    return {
      generation,
      artifactSha256: receiver.manifest.sha256,
      chunkCount: receiver.manifest.chunks.length,
      receivedChunks: receiver.receivedChunks,
      held: Buffer.from(receiver.bitmap()).toString('base64'),
      indices,
    };
  }

  /** A chunk was accepted. @param nowMs any clock that does not go back */
  accepted(nowMs: number): void {
    this.#stalls = 0;
    if (this.#lastAt !== null) this.#measure(nowMs - this.#lastAt);
    this.#lastAt = nowMs;
  }

  /** No chunk came within the patience: all that is missing may be asked for again. */
  stalled(): void {
    this.#stalls += 1;
    this.#lastAt = null;
    this.receiver.forgetAsked();
  }

  /** A new connection: what was under way is lost. */
  resumed(): void {
    this.#stalls = 0;
    this.#lastAt = null;
    this.receiver.forgetAsked();
  }

  /** How long to wait for the next chunk, milliseconds. */
  patienceMs(): number {
    const measured = (this.#gapMs ?? 0) + 4 * this.#deviationMs;
    const patience = Math.max(SHORTEST_PATIENCE_MS, measured) * 2 ** Math.min(this.#stalls, 10);
    return Math.min(LONGEST_PATIENCE_MS, patience) * (0.75 + this.random() / 2);
  }

  #measure(gapMs: number): void {
    if (this.#gapMs === null) {
      this.#gapMs = gapMs;
      this.#deviationMs = gapMs / 2;
    } else {
      this.#deviationMs += (Math.abs(gapMs - this.#gapMs) - this.#deviationMs) / 4;
      this.#gapMs += (gapMs - this.#gapMs) / 8;
    }
  }
}
