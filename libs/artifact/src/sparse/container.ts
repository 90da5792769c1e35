import { setImmediate } from 'node:timers/promises';
import { fromBrotli, toBrotli } from '../brotli.js';
import { ArtifactError } from '../errors.js';
import { ByteReader, ByteWriter } from './bytes.js';
import { crc32 } from './crc32.js';
import { ElementModel } from './element-model.js';
import { findMultiples, type Multiple, writeMultiple } from './multiple.js';
import { type BitCoder, RangeDecoder, RangeEncoder } from './range-coder.js';
import {
  ELEMENT_BYTES,
  ELEMENT_TYPES,
  type ElementType,
  orderSegments,
  type Segment,
  segmentBytes,
} from './segment.js';

/*
 * The container: "ESP1", length (varint), CRC-32 of the file (4 bytes, little-endian), length of the
 * brotli part (varint), brotli part, range-coded part to the end. The brotli part holds the number of
 * segments (varint), for each its gap after the one before, its type, its count, its row length, how
 * many segments back another one lies that it is a multiple of (varints; 0: it is coded) and, if it is
 * one, by which factor (float32), and then the bytes of the file that lie in no segment.
 */
const MAGIC = [0x45, 0x53, 0x50, 0x31];
const MAX_SEGMENTS = 1 << 16;
/** Most bytes of the table of segments. */
const TABLE_BYTES = MAX_SEGMENTS * 40;
/** Elements coded before other work of the process has its turn. */
const TURN = 1 << 15;

/**
 * Encodes a file whose number tensors are modelled element by element, the rest by brotli.
 * @param segments where those tensors lie; runs too short to be worth a model are best left out
 * @throws ArtifactError ARTIFACT_SEGMENTS
 */
export async function toSparse(
  bytes: Uint8Array,
  segments: readonly Segment[],
): Promise<Uint8Array> {
  const ordered = orderSegments(segments, bytes.length).slice(0, MAX_SEGMENTS);
  const multiples = findMultiples(viewOf(bytes), ordered);
  const plain = new ByteWriter();
  plain.varint(ordered.length);
  let end = 0;
  for (const [at, segment] of ordered.entries()) {
    plain.varint(segment.offset - end);
    plain.varint(ELEMENT_TYPES.indexOf(segment.type));
    plain.varint(segment.count);
    plain.varint(segment.rowLength);
    const multiple = multiples[at];
    plain.varint(multiple?.back ?? 0);
    if (multiple) plain.float32(multiple.factor);
    end = segment.offset + segmentBytes(segment);
  }
  end = 0;
  for (const segment of ordered) {
    plain.bytes(bytes.subarray(end, segment.offset));
    end = segment.offset + segmentBytes(segment);
  }
  plain.bytes(bytes.subarray(end));
  const brotli = await toBrotli(plain.done());
  const coder = new RangeEncoder();
  await codeSegments(
    coder,
    ordered.filter((_, at) => !multiples[at]),
    bytes,
  );
  const out = new ByteWriter();
  out.bytes(Uint8Array.from(MAGIC));
  out.varint(bytes.length);
  out.uint32(crc32(bytes));
  out.varint(brotli.length);
  out.bytes(brotli);
  out.bytes(coder.finish());
  return out.done();
}

/**
 * The other end of `toSparse`.
 * @param length bytes that the file must have
 * @throws ArtifactError ARTIFACT_LENGTH, ARTIFACT_CORRUPT
 */
export async function fromSparse(bytes: Uint8Array, length: number): Promise<Uint8Array> {
  const head = new ByteReader(bytes);
  if (MAGIC.some((byte) => head.byte() !== byte)) throw corrupt('it does not begin with "ESP1"');
  const announced = head.varint();
  if (announced !== length) {
    throw new ArtifactError(
      'ARTIFACT_LENGTH',
      `The artifact expands to ${announced} bytes; ${length} were announced.`,
    );
  }
  const crc = head.uint32();
  const plain = new ByteReader(await plainBytes(head.take(head.varint()), length));
  const table = readSegments(plain, length);
  const out = new Uint8Array(length);
  let end = 0;
  for (const { segment } of table) {
    out.set(plain.take(segment.offset - end), end);
    end = segment.offset + segmentBytes(segment);
  }
  out.set(plain.take(length - end), end);
  if (plain.left > 0) throw corrupt(`${plain.left} bytes too many lie outside its segments`);
  const coder = new RangeDecoder(head.take(head.left));
  const coded = table.filter(({ multiple }) => !multiple).map(({ segment }) => segment);
  await codeSegments(coder, coded, out);
  if (coder.overrun) throw corrupt('it ends early');
  table.forEach(({ segment, multiple }, at) => {
    const from = multiple && table[at - multiple.back];
    if (from) writeMultiple(viewOf(out), from.segment, segment, multiple.factor);
  });
  if (crc32(out) !== crc) throw corrupt('the checksum of what it expands to is wrong');
  return out;
}

/** Codes every segment in place: an encoder reads `file`, a decoder fills it. */
async function codeSegments(
  coder: BitCoder,
  segments: readonly Segment[],
  file: Uint8Array,
): Promise<void> {
  const view = viewOf(file);
  const models = new Map<ElementType, ElementModel>();
  let turn = TURN;
  for (const { type, offset, count, rowLength } of segments) {
    let model = models.get(type);
    if (!model) models.set(type, (model = new ElementModel(coder, type)));
    model.open(rowLength, count);
    const width = ELEMENT_BYTES[type];
    for (let i = 0, at = offset; i < count; i++, at += width) {
      if (width === 1) view.setUint8(at, model.code(view.getUint8(at)));
      else if (width === 2) view.setUint16(at, model.code(view.getUint16(at, true)), true);
      else view.setUint32(at, model.code(view.getUint32(at, true)), true);
      if (--turn === 0) {
        turn = TURN;
        await setImmediate();
      }
    }
  }
}

async function plainBytes(brotli: Uint8Array, length: number): Promise<Uint8Array> {
  const out = new ByteWriter();
  for await (const part of fromBrotli(brotli)) {
    out.bytes(part);
    if (out.size > length + TABLE_BYTES) throw corrupt('its plain part is longer than the file');
  }
  return out.done();
}

interface Entry {
  readonly segment: Segment;
  readonly multiple: Multiple | undefined;
}

function readSegments(from: ByteReader, length: number): Entry[] {
  const count = from.varint();
  if (count > MAX_SEGMENTS) throw corrupt(`it has ${count} segments`);
  const table: Entry[] = [];
  let end = 0;
  for (let i = 0; i < count; i++) {
    const offset = end + from.varint();
    const type = ELEMENT_TYPES[from.varint()];
    if (type === undefined) throw corrupt(`segment ${i} is of an unknown type`);
    const segment = { offset, type, count: from.varint(), rowLength: from.varint() };
    end = offset + segmentBytes(segment);
    if (segment.rowLength < 1 || segment.rowLength > segment.count || end > length)
      throw corrupt(`segment ${i} leaves the file`);
    const back = from.varint();
    const multiple = back > 0 ? { back, factor: from.float32() } : undefined;
    if (multiple) {
      const other = table[i - back]?.segment;
      if (type !== 'float32' || other?.type !== type || other.count !== segment.count)
        throw corrupt(`segment ${i} is a multiple of none`);
    }
    table.push({ segment, multiple });
  }
  return table;
}

const viewOf = (file: Uint8Array): DataView =>
  new DataView(file.buffer, file.byteOffset, file.byteLength);

const corrupt = (why: string): ArtifactError =>
  new ArtifactError('ARTIFACT_CORRUPT', `The artifact is damaged: ${why}. Receive it again.`);
