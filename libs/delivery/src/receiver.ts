import { LIMITS, type ChunkFrame, type Manifest } from '@espalier/protocol';
import { Bitmap } from './bitmap.js';
import { assertManifest, chunkLength, sha256 } from './manifest.js';

/** Why a chunk was refused. */
export type ChunkRefusal = 'CHUNK_OTHER_ARTIFACT' | 'CHUNK_INDEX' | 'CHUNK_LENGTH' | 'CHUNK_HASH';

/** What became of a chunk; only an accepted one is to be stored. */
export type ChunkVerdict =
  | { readonly kind: 'accepted'; readonly offset: number }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'refused'; readonly code: ChunkRefusal };

/**
 * The receiving end of one artifact: which chunks are held, which were asked for. It stores no
 * bytes. Order, repeats and losses do not matter.
 */
export class Receiver {
  readonly #held: Bitmap;
  /** What was asked for, and how many chunks had been accepted then. */
  readonly #asked = new Map<number, number>();
  #accepted = 0;
  #receivedBytes: number;

  /**
   * @param manifest checked against the release by the caller
   * @param resumed what a former process had stored and has been found right
   * @throws DeliveryError DELIVERY_MANIFEST
   */
  constructor(
    readonly manifest: Manifest,
    resumed?: { readonly held: Bitmap; readonly receivedBytes: number },
  ) {
    assertManifest(manifest);
    this.#held = resumed?.held ?? new Bitmap(manifest.chunks.length);
    this.#receivedBytes = resumed?.receivedBytes ?? 0;
  }

  /** Payload bytes that arrived for this artifact, repeats and refused ones counted. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get receivedChunks(): number {
    return this.#held.count;
  }

  /** Whether every chunk is held; the hash of the whole is still to be checked. */
  get whole(): boolean {
    return this.#held.full;
  }

  /** Chunks asked for that have not come. */
  get outstanding(): number {
    return this.#asked.size;
  }

  /** The held chunks, for storing. */
  bitmap(): Uint8Array {
    return this.#held.serialise();
  }

  /**
   * Judges a chunk, and marks it as held when it is right: store it at `offset` at once, or
   * {@link drop} it if that fails.
   */
  accept(frame: ChunkFrame): ChunkVerdict {
    if (frame.artifactSha256 !== this.manifest.sha256) return refused('CHUNK_OTHER_ARTIFACT');
    this.#receivedBytes += frame.payload.byteLength;
    const length = chunkLength(this.manifest, frame.index);
    if (length === 0) return refused('CHUNK_INDEX');
    if (frame.payload.byteLength !== length) return refused('CHUNK_LENGTH');
    if (this.#held.has(frame.index)) return { kind: 'duplicate' };
    if (sha256(frame.payload) !== this.manifest.chunks[frame.index]) return refused('CHUNK_HASH');
    this.#held.set(frame.index);
    this.#accepted += 1;
    this.#asked.delete(frame.index);
    return { kind: 'accepted', offset: frame.index * this.manifest.chunkSize };
  }

  /** Takes a chunk back that could not be stored. */
  drop(index: number): void {
    this.#held.clear(index);
  }

  /**
   * The chunks to ask for next: missing ones that were not asked for, lowest first, so that no more
   * than `window` are under way. They count as asked for.
   */
  ask(window: number): number[] {
    const room = Math.min(window, LIMITS.chunksPerNeed) - this.#asked.size;
    const indices: number[] = [];
    if (room <= 0) return indices;
    for (const index of this.#held.missing()) {
      if (this.#asked.has(index)) continue;
      indices.push(index);
      if (indices.length === room) break;
    }
    for (const index of indices) this.#asked.set(index, this.#accepted);
    return indices;
  }

  /**
   * Gives up on chunks that so many accepted later have overtaken: a connection keeps the order, so
   * they are lost.
   */
  giveUpOvertaken(by: number): void {
    for (const [index, acceptedThen] of this.#asked) {
      if (this.#accepted - acceptedThen > by) this.#asked.delete(index);
    }
  }

  /** Gives up on what was asked for, after a stall or a new connection, so that it is asked again. */
  forgetAsked(): void {
    this.#asked.clear();
  }
}

const refused = (code: ChunkRefusal): ChunkVerdict => ({ kind: 'refused', code });
