import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

const OWNER_ONLY = 0o600;

/**
 * Replaces a file so that a reader, and the next start, sees the old content or the new, never a
 * part. With `durable` it also survives a power cut.
 */
export function writeAtomically(
  path: string,
  content: string | Uint8Array,
  { durable }: { durable: boolean },
): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.tmp`;
  try {
    writeWhole(temporary, typeof content === 'string' ? Buffer.from(content) : content, durable);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (durable) syncDirectory(dirname(path));
}

function writeWhole(path: string, bytes: Uint8Array, durable: boolean): void {
  const file = openSync(path, 'w', OWNER_ONLY);
  try {
    let written = 0;
    while (written < bytes.byteLength) {
      written += writeSync(file, bytes, written, bytes.byteLength - written);
    }
    if (durable) fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes renames and removals in a directory survive a power cut. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** A file's bytes, or undefined when there is none. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
