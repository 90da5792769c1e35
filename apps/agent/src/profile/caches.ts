import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 256 * 1024;
/** A cache displaces its lines at random: a third of them outlives the first passage. */
const PASSAGES = 3;

/**
 * Fills the caches with other data: a file that the system holds in memory anyway, read in parts, so
 * that the process does not grow by what it reads.
 */
export class Caches {
  private readonly chunk = Buffer.alloc(CHUNK_BYTES);

  /** @param bytes to fill them with @param path a file of about that size or more */
  constructor(
    private readonly bytes: number,
    private readonly path: string = process.execPath,
  ) {}

  fill(): void {
    const file = openSync(this.path, 'r');
    try {
      for (let passage = 0; passage < PASSAGES; passage++) this.readOnce(file);
    } finally {
      closeSync(file);
    }
  }

  private readOnce(file: number): void {
    for (let at = 0; at < this.bytes;) {
      const read = readSync(file, this.chunk, 0, CHUNK_BYTES, at);
      if (read === 0) break;
      at += read;
    }
  }
}
