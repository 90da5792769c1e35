import { Bitmap, chunkLength, Receiver, sha256, type ChunkVerdict } from '@espalier/delivery';
import { manifestSchema, type ChunkFrame, type Manifest } from '@espalier/protocol';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { readIfThere, writeAtomically } from '../store/atomic-file.js';

const COUNTER_BYTES = 8;

/** Where the parts of a download lie. */
export const downloadPaths = (directory: string) => ({
  artifact: join(directory, 'artifact.part'),
  progress: join(directory, 'progress'),
  manifest: join(directory, 'manifest.json'),
});

/** Keeps the manifest of the download to come, and forgets what another artifact left. */
export function prepareDownload(directory: string, manifest: Manifest): void {
  if (storedManifest(directory)?.sha256 !== manifest.sha256) removeDownload(directory);
  mkdirSync(directory, { recursive: true });
  writeAtomically(downloadPaths(directory).manifest, JSON.stringify(manifest), { durable: true });
}

/** The manifest of the download under way, or undefined. */
export function storedManifest(directory: string): Manifest | undefined {
  const bytes = readIfThere(downloadPaths(directory).manifest);
  if (!bytes) return undefined;
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined;
  }
}

/** Bytes on the disk that a download of an artifact has reserved already. */
export function storedBytes(directory: string, artifactSha256: string): number {
  if (storedManifest(directory)?.sha256 !== artifactSha256) return 0;
  const file = statSync(downloadPaths(directory).artifact, { throwIfNoEntry: false });
  return file ? file.blocks * 512 : 0;
}

/** Forgets the download, with all that is stored of it. */
export function removeDownload(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

/**
 * The chunks of one artifact on the disk. Progress is noted after every chunk, so that a killed
 * process loses none; after a power cut the notes may be ahead of the bytes, hence every chunk noted
 * as held is hashed again when the store is opened.
 */
export class ChunkStore {
  readonly receiver: Receiver;
  readonly #file: number;
  readonly #progressPath: string;

  private constructor(file: number, progressPath: string, receiver: Receiver) {
    this.#file = file;
    this.#progressPath = progressPath;
    this.receiver = receiver;
  }

  static open(directory: string, manifest: Manifest): ChunkStore {
    const paths = downloadPaths(directory);
    mkdirSync(directory, { recursive: true });
    const file = openSync(paths.artifact, readIfThere(paths.progress) ? 'a+' : 'w');
    closeSync(file);
    const readWrite = openSync(paths.artifact, 'r+');
    if (fstatSync(readWrite).size !== manifest.length) ftruncateSync(readWrite, manifest.length);
    const resumed = readProgress(readWrite, readIfThere(paths.progress), manifest);
    return new ChunkStore(readWrite, paths.progress, new Receiver(manifest, resumed));
  }

  /** Judges a chunk and stores it if it is right; an error leaves it missing. */
  put(frame: ChunkFrame): ChunkVerdict {
    const verdict = this.receiver.accept(frame);
    if (verdict.kind !== 'accepted') return verdict;
    try {
      writeWhole(this.#file, frame.payload, verdict.offset);
      const progress = Buffer.alloc(COUNTER_BYTES);
      progress.writeBigUInt64BE(BigInt(this.receiver.receivedBytes));
      writeAtomically(this.#progressPath, Buffer.concat([progress, this.receiver.bitmap()]), {
        durable: false,
      });
    } catch (error) {
      this.receiver.drop(frame.index);
      throw error;
    }
    return verdict;
  }

  /** Makes every stored byte survive a power cut. */
  sync(): void {
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

function readProgress(
  file: number,
  progress: Buffer | undefined,
  manifest: Manifest,
): { held: Bitmap; receivedBytes: number } | undefined {
  if (!progress || progress.byteLength <= COUNTER_BYTES) return undefined;
  let noted: Bitmap;
  try {
    noted = Bitmap.parse(progress.subarray(COUNTER_BYTES), manifest.chunks.length);
  } catch {
    return undefined;
  }
  const held = new Bitmap(manifest.chunks.length);
  const buffer = Buffer.alloc(manifest.chunkSize);
  for (const index of noted.held()) {
    const length = chunkLength(manifest, index);
    const read = readSync(file, buffer, 0, length, index * manifest.chunkSize);
    if (read === length && sha256(buffer.subarray(0, length)) === manifest.chunks[index]) {
      held.set(index);
    }
  }
  return { held, receivedBytes: Number(progress.readBigUInt64BE()) };
}

function writeWhole(file: number, bytes: Uint8Array, offset: number): void {
  let written = 0;
  while (written < bytes.byteLength) {
    written += writeSync(file, bytes, written, bytes.byteLength - written, offset + written);
  }
}
