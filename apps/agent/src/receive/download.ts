import { Requests } from '@espalier/delivery';
import { decodeChunk, ProtocolError, type Manifest, type Need } from '@espalier/protocol';
import type { Logger } from 'pino';
import { ChunkStore } from './chunk-store.js';

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
  readonly #requests: Requests;
  #settle: ((end: DownloadEnd) => void) | undefined;
  #fail: ((error: unknown) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: DownloadOptions) {
    const { directory, manifest, generation } = options;
    this.#store = ChunkStore.open(directory, manifest);
    this.#requests = new Requests(this.#store.receiver, generation, Math.random);
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
    this.#requests.resumed();
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
      this.#requests.accepted(performance.now());
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
    const need = this.#requests.next();
    if (need && !this.options.ask(need)) return;
    const patienceMs = this.#requests.patienceMs();
    this.#timer = setTimeout(() => {
      this.options.log.info({ waitedMs: Math.round(patienceMs) }, 'no chunk came, asking again');
      this.#requests.stalled();
      this.#proceed();
    }, patienceMs);
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#store.close();
    this.#settle = undefined;
  }
}
