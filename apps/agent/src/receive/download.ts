import type { Manifest, Need } from '@espalier/protocol';
import { decodeChunk, ProtocolError } from '@espalier/protocol';
import type { Logger } from 'pino';
import { ChunkStore } from './chunk-store.js';

/**
 * Most chunks under way. At 64 KiB they stay under the megabyte that the broker lets wait for one
 * client before it drops chunks.
 */
const WINDOW = 15;
const FIRST_STALL_MS = 3000;
const LONGEST_STALL_MS = 60_000;

/** How a download ended: every chunk is stored and synced, or it was given up. */
export type DownloadEnd = 'whole' | 'cancelled';

/** What a download needs of its surroundings. */
export interface DownloadOptions {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly generation: number;
  /** Sends a `need`; false when there is no connection. */
  ask(need: Need): boolean;
  readonly log: Logger;
}

/** Gets one artifact: asks for windows of missing chunks, and asks again when none comes. */
export class Download {
  readonly end: Promise<DownloadEnd>;
  readonly #store: ChunkStore;
  #settle: ((end: DownloadEnd) => void) | undefined;
  #fail: ((error: unknown) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stallMs = FIRST_STALL_MS;

  constructor(private readonly options: DownloadOptions) {
    this.#store = ChunkStore.open(options.directory, options.manifest);
    this.end = new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
    });
  }

  get receivedBytes(): number {
    return this.#store.receiver.receivedBytes;
  }

  /** Asks anew: at the start, and after every connect. */
  resume(): void {
    if (!this.#settle) return;
    this.#store.receiver.forgetAsked();
    this.#stallMs = FIRST_STALL_MS;
    this.#proceed();
  }

  /** Stops asking until {@link resume}. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Takes a chunk frame as it came from the broker. */
  receive(bytes: Uint8Array): void {
    if (!this.#settle) return;
    try {
      const verdict = this.#store.put(decodeChunk(bytes));
      if (verdict.kind === 'refused') {
        this.options.log.warn({ code: verdict.code }, 'chunk refused');
        return;
      }
      if (verdict.kind === 'duplicate') return;
      this.#stallMs = FIRST_STALL_MS;
      this.#proceed();
    } catch (error) {
      if (error instanceof ProtocolError) {
        this.options.log.warn({ code: error.code }, 'chunk refused');
        return;
      }
      this.#close();
      this.#fail?.(error);
    }
  }

  /** Gives the download up; what is stored stays. */
  cancel(): void {
    const settle = this.#settle;
    if (!settle) return;
    this.#close();
    settle('cancelled');
  }

  #proceed(): void {
    const { receiver } = this.#store;
    clearTimeout(this.#timer);
    if (receiver.whole) {
      this.#store.sync();
      const settle = this.#settle;
      this.#close();
      settle?.('whole');
      return;
    }
    if (receiver.outstanding <= WINDOW / 2 && !this.#ask()) return;
    this.#timer = setTimeout(() => {
      this.options.log.info({ waitedMs: this.#stallMs }, 'no chunk came, asking again');
      this.#stallMs = Math.min(LONGEST_STALL_MS, this.#stallMs * 2);
      receiver.forgetAsked();
      this.#proceed();
    }, this.#stallMs);
  }

  #ask(): boolean {
    const { manifest, generation } = this.options;
    const { receiver } = this.#store;
    const indices = receiver.ask(WINDOW);
    if (indices.length === 0) return true;
    return this.options.ask({
      generation,
      artifactSha256: manifest.sha256,
      chunkCount: manifest.chunks.length,
      receivedChunks: receiver.receivedChunks,
      indices,
    });
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#store.close();
    this.#settle = undefined;
  }
}
