import { Bitmap, Receiver, Requests } from '@espalier/delivery';
import {
  decodeChunk,
  encodeMessage,
  ProtocolError,
  type ChunkFrame,
  type Manifest,
} from '@espalier/protocol';
import type { Artifacts } from './artifacts.js';
import type { Surroundings } from './surroundings.js';

/** What a download leaves on the disk of a real device. */
export interface StoredDownload {
  readonly manifest: Manifest;
  /** Base64 of the bitmap. */
  readonly held: string;
  readonly receivedBytes: number;
}

/** One device's download: its bitmap, its checks, what it asks for. */
export class Download {
  readonly #receiver: Receiver;
  readonly #requests: Requests;
  #cancelWait: () => void = () => undefined;
  #live = true;

  /**
   * @param epoch highest that the device has seen
   * @param whole called once, when every chunk is held
   */
  constructor(
    stored: StoredDownload,
    generation: number,
    private readonly epoch: () => number,
    private readonly artifacts: Artifacts,
    private readonly around: Surroundings,
    private readonly whole: () => void,
  ) {
    const { manifest, receivedBytes } = stored;
    const held = Bitmap.parse(Buffer.from(stored.held, 'base64'), manifest.chunks.length);
    this.#receiver = new Receiver(manifest, { held, receivedBytes });
    this.#requests = new Requests(this.#receiver, generation, () => around.random());
  }

  /** A download that holds nothing yet. */
  static fresh(manifest: Manifest): StoredDownload {
    const held = Buffer.from(new Bitmap(manifest.chunks.length).serialise()).toString('base64');
    return { manifest, held, receivedBytes: 0 };
  }

  get receivedBytes(): number {
    return this.#receiver.receivedBytes;
  }

  /** Share of the chunks that are held. */
  get share(): number {
    return this.#receiver.receivedChunks / this.#receiver.manifest.chunks.length;
  }

  stored(): StoredDownload {
    return {
      manifest: this.#receiver.manifest,
      held: Buffer.from(this.#receiver.bitmap()).toString('base64'),
      receivedBytes: this.#receiver.receivedBytes,
    };
  }

  /** Asks anew: at the start, and after every connect. */
  resume(): void {
    this.#requests.resumed();
    this.#proceed();
  }

  /** Stops asking until {@link resume}. */
  pause(): void {
    this.#cancelWait();
  }

  stop(): void {
    this.#live = false;
    this.#cancelWait();
  }

  receive(bytes: Uint8Array): void {
    if (!this.#live) return;
    let frame: ChunkFrame;
    try {
      frame = decodeChunk(bytes);
    } catch (error) {
      if (error instanceof ProtocolError) return;
      throw error;
    }
    if (this.#receiver.accept(frame).kind !== 'accepted') return;
    this.artifacts.keep(this.#receiver.manifest, frame.index, frame.payload);
    this.#requests.accepted(this.around.now());
    this.#proceed();
  }

  #proceed(): void {
    this.#cancelWait();
    if (!this.#live) return;
    if (this.#receiver.whole) {
      this.stop();
      this.whole();
      return;
    }
    const need = this.#requests.next();
    if (need) this.around.send('need', encodeMessage(this.#envelope(), need));
    this.#cancelWait = this.around.after(this.#requests.patienceMs(), () => {
      this.#requests.stalled();
      this.#proceed();
    });
  }

  #envelope(): { id: string; sentAt: string; epoch: number } {
    const sentAt = new Date(this.around.wallClock()).toISOString();
    // A need is answered by what it says; its id names no other message.
    return { id: 'need', sentAt, epoch: this.epoch() };
  }
}
