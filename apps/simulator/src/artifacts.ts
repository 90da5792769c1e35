import { createHash } from 'node:crypto';
import type { Manifest } from '@espalier/protocol';

const KEPT = 4;

/**
 * The bytes of artifacts, kept once for all devices of this process. A device holds a chunk only when
 * its own bitmap says so, which it does after its own check of the chunk's hash.
 */
export class Artifacts {
  readonly #chunks = new Map<string, (Uint8Array | undefined)[]>();

  /** Keeps a chunk that a device has found right. */
  keep({ sha256, chunks }: Manifest, index: number, payload: Uint8Array): void {
    let kept = this.#chunks.get(sha256);
    if (!kept) {
      kept = new Array<Uint8Array | undefined>(chunks.length);
      this.#chunks.set(sha256, kept);
      const [oldest] = this.#chunks.keys();
      if (this.#chunks.size > KEPT && oldest !== undefined) this.#chunks.delete(oldest);
    }
    kept[index] ??= Uint8Array.from(payload);
  }

  /** SHA-256 of the whole; of what is kept of it, when chunks are gone. */
  hash({ sha256 }: Manifest): string {
    const hash = createHash('sha256');
    for (const chunk of this.#chunks.get(sha256) ?? []) if (chunk) hash.update(chunk);
    return hash.digest('hex');
  }
}
