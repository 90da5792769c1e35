import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ServerError } from '../errors.js';

/** A stored file, named by what it holds. */
export interface Blob {
  readonly sha256: string;
  readonly bytes: number;
}

/** Content-addressed files: written beside, synced, then renamed, so that a name never lies. */
export class BlobStore {
  private constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<BlobStore> {
    await mkdir(folder, { recursive: true });
    await rm(join(folder, 'incoming'), { recursive: true, force: true });
    await mkdir(join(folder, 'incoming'), { recursive: true });
    return new BlobStore(folder);
  }

  path(sha256: string): string {
    return join(this.folder, sha256);
  }

  /**
   * Stores a stream, bounded.
   * @throws ServerError UPLOAD_TOO_LARGE; nothing is kept then
   */
  async put(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Blob> {
    const temporary = join(this.folder, 'incoming', randomUUID());
    const hash = createHash('sha256');
    let bytes = 0;
    const file = await open(temporary, 'wx', 0o600);
    try {
      for await (const part of source) {
        bytes += part.byteLength;
        if (bytes > maxBytes) {
          throw new ServerError(
            'UPLOAD_TOO_LARGE',
            413,
            `The file is larger than the ${maxBytes} bytes that this server takes.`,
          );
        }
        hash.update(part);
        await file.writeFile(part);
      }
      await file.sync();
      await file.close();
      const sha256 = hash.digest('hex');
      await rename(temporary, this.path(sha256));
      return { sha256, bytes };
    } catch (cause) {
      await file.close().catch(() => undefined);
      await rm(temporary, { force: true });
      throw cause;
    }
  }

  /** Stores a file that another process wrote. */
  putFile(path: string, maxBytes: number): Promise<Blob> {
    return this.put(createReadStream(path) as Readable & AsyncIterable<Uint8Array>, maxBytes);
  }

  /** Deletes a file; one that is not there is fine. */
  async remove(sha256: string): Promise<void> {
    await rm(this.path(sha256), { force: true });
  }

  read(sha256: string): Promise<Uint8Array> {
    return readFile(this.path(sha256));
  }

  /** Length of a file, bytes; 0 where there is none. */
  async bytes(sha256: string): Promise<number> {
    return stat(this.path(sha256)).then(
      ({ size }) => size,
      () => 0,
    );
  }

  /** Reads `length` bytes from `offset`; fewer at the end of the file. */
  async slice(sha256: string, offset: number, length: number): Promise<Uint8Array> {
    const file = await open(this.path(sha256), 'r');
    try {
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }
}
