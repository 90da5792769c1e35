import { crc32 } from 'node:zlib';
import { Inflate, zipSync } from 'fflate';
import { DatasetError } from './errors.js';
import { readNpy, writeNpy, type NpyArray } from './npy.js';
import { listZip, type ZipEntry } from './zip-directory.js';

/** Nothing is written by these names; an archive that has one was made to do harm. */
const LEADS_OUT = /^[/\\]|(?:^|[/\\])\.\.(?:[/\\]|$)/;

export interface NpzLimits {
  /** Largest sum of all arrays once inflated, in bytes; 2 GiB by default. */
  readonly maxBytes?: number;
  /** Most arrays in a file; 1,024 by default. */
  readonly maxArrays?: number;
}

/**
 * Read every array of an `.npz` file, by its name without `.npy`. Sizes are bounded as declared and
 * again as inflated, so that a small file cannot fill the memory.
 * @throws DatasetError DATASET_CORRUPT, DATASET_TOO_LARGE, DATASET_UNSUPPORTED
 */
export function readNpz(bytes: Uint8Array, limits: NpzLimits = {}): Map<string, NpyArray> {
  const maxBytes = limits.maxBytes ?? 2 ** 31;
  const maxArrays = limits.maxArrays ?? 1024;
  const entries = listZip(bytes, maxArrays);
  const declared = entries.reduce((sum, entry) => sum + entry.size, 0);
  if (declared > maxBytes) {
    throw new DatasetError(
      'DATASET_TOO_LARGE',
      `The arrays take ${declared} bytes; at most ${maxBytes} are read. Use fewer samples.`,
    );
  }
  const arrays = new Map<string, NpyArray>();
  for (const entry of entries) {
    if (LEADS_OUT.test(entry.name)) {
      throw new DatasetError(
        'DATASET_CORRUPT',
        'The archive has an entry whose name is a path out of it. Save it with numpy.savez.',
      );
    }
    if (!entry.name.endsWith('.npy')) continue;
    const name = entry.name.slice(0, -4);
    if (arrays.has(name)) {
      throw new DatasetError('DATASET_CORRUPT', `The file holds two arrays named "${name}".`);
    }
    const content = inflate(entry);
    if (crc32(content) !== entry.crc) {
      throw new DatasetError(
        'DATASET_CORRUPT',
        `"${entry.name}" does not match its checksum: the file was damaged. Copy it again.`,
      );
    }
    arrays.set(name, readNpy(content, name));
  }
  return arrays;
}

/** Inflate to exactly the declared size, and not a byte further. */
function inflate(entry: ZipEntry): Uint8Array {
  if (!entry.deflated) {
    if (entry.content.length === entry.size) return entry.content;
    throw wrongSize(entry);
  }
  // Deflate cannot expand more than 1,032 times: a claim beyond that is refused before any allocation.
  if (entry.size > entry.content.length * 1032 + 1024) throw wrongSize(entry);
  const out = new Uint8Array(entry.size);
  let filled = 0;
  const inflater = new Inflate((chunk) => {
    if (filled + chunk.length > out.length) throw wrongSize(entry);
    out.set(chunk, filled);
    filled += chunk.length;
  });
  try {
    const step = 64 * 1024;
    for (let at = 0; at < entry.content.length; at += step) {
      const last = at + step >= entry.content.length;
      inflater.push(entry.content.subarray(at, at + step), last);
    }
  } catch (cause) {
    if (cause instanceof DatasetError) throw cause;
    throw new DatasetError('DATASET_CORRUPT', `"${entry.name}" cannot be inflated.`, { cause });
  }
  if (filled !== out.length) throw wrongSize(entry);
  return out;
}

function wrongSize(entry: ZipEntry): DatasetError {
  return new DatasetError(
    'DATASET_CORRUPT',
    `"${entry.name}" does not inflate to the ${entry.size} bytes that the file declares.`,
  );
}

/** The bytes of an `.npz` file; the same arrays always give the same bytes. */
export function writeNpz(arrays: Readonly<Record<string, NpyArray>>): Uint8Array {
  const files = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, writeNpy(array)]);
  return zipSync(Object.fromEntries(files) as Record<string, Uint8Array>, {
    level: 6,
    mtime: new Date(1980, 0, 1),
  });
}
