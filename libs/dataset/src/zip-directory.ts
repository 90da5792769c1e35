import { DatasetError } from './errors.js';

/** One file in a zip archive, still compressed. */
export interface ZipEntry {
  readonly name: string;
  readonly deflated: boolean;
  /** Declared size once inflated, in bytes. */
  readonly size: number;
  /** Declared CRC-32 of the inflated content. */
  readonly crc: number;
  readonly content: Uint8Array;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const OPEN_32 = 0xffff_ffff;

/**
 * The files of a zip archive from its central directory (APPNOTE 4.3, with ZIP64), nothing inflated.
 * @throws DatasetError DATASET_CORRUPT, DATASET_UNSUPPORTED (encrypted, or another compression),
 * DATASET_TOO_LARGE (more than `maxEntries`)
 */
export function listZip(bytes: Uint8Array, maxEntries: number): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    return entriesOf(bytes, view, maxEntries);
  } catch (cause) {
    if (cause instanceof RangeError) throw corrupt('it is truncated', cause);
    throw cause;
  }
}

function corrupt(what: string, cause?: unknown): DatasetError {
  return new DatasetError('DATASET_CORRUPT', `The file is no sound .npz archive: ${what}.`, {
    cause,
  });
}

function entriesOf(bytes: Uint8Array, view: DataView, maxEntries: number): ZipEntry[] {
  const { count, offset } = findDirectory(view);
  if (count > maxEntries) {
    throw new DatasetError(
      'DATASET_TOO_LARGE',
      `The file holds ${count} arrays; at most ${maxEntries} are read.`,
    );
  }
  const entries: ZipEntry[] = [];
  let at = offset;
  for (let index = 0; index < count; index++) {
    if (view.getUint32(at, true) !== CENTRAL) throw corrupt('its directory is broken');
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    entries.push(entryAt(bytes, view, at, nameLength, extraLength));
    at += 46 + nameLength + extraLength + view.getUint16(at + 32, true);
  }
  return entries;
}

function findDirectory(view: DataView): { count: number; offset: number } {
  const lowest = Math.max(0, view.byteLength - 22 - 65_535);
  let end = view.byteLength - 22;
  while (end >= lowest && view.getUint32(end, true) !== END) end--;
  if (end < lowest) throw corrupt('its directory is missing');
  const locator = end - 20;
  if (locator >= 0 && view.getUint32(locator, true) === END64_LOCATOR) {
    const record = number64(view, locator + 8);
    if (view.getUint32(record, true) !== END64) throw corrupt('its ZIP64 directory is broken');
    return { count: number64(view, record + 32), offset: number64(view, record + 48) };
  }
  return { count: view.getUint16(end + 10, true), offset: view.getUint32(end + 16, true) };
}

function entryAt(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  nameLength: number,
  extraLength: number,
): ZipEntry {
  const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  if ((flags & 1) !== 0 || (method !== 0 && method !== 8)) {
    throw new DatasetError(
      'DATASET_UNSUPPORTED',
      `"${name}" is encrypted or compressed in another way than deflate. Save it with numpy.savez.`,
    );
  }
  const wide = wideFields(view, at + 46 + nameLength, extraLength);
  const field = (position: number): number => {
    const value = view.getUint32(position, true);
    return value === OPEN_32 ? wide() : value;
  };
  // The ZIP64 field lists only what does not fit 32 bits, in this order.
  const size = field(at + 24);
  const packed = field(at + 20);
  const local = field(at + 42);
  if (view.getUint32(local, true) !== LOCAL) throw corrupt(`the entry "${name}" is missing`);
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + packed > bytes.length) throw corrupt(`the entry "${name}" is truncated`);
  return {
    ...{ name, deflated: method === 8, size, crc: view.getUint32(at + 16, true) },
    content: bytes.subarray(start, start + packed),
  };
}

/** Reads the 64-bit fields of an entry's ZIP64 extension one after another. */
function wideFields(view: DataView, start: number, length: number): () => number {
  let at = start;
  const end = start + length;
  while (at + 4 <= end && view.getUint16(at, true) !== 1) at += 4 + view.getUint16(at + 2, true);
  at += 4;
  return () => {
    if (at + 8 > end) throw corrupt('a 64-bit size is missing');
    at += 8;
    return number64(view, at - 8);
  };
}

function number64(view: DataView, at: number): number {
  const value = Number(view.getBigUint64(at, true));
  if (!Number.isSafeInteger(value)) throw corrupt('a size in it is impossible');
  return value;
}
