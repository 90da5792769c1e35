import { promisify } from 'node:util';
import { deflateRaw, inflateRawSync } from 'node:zlib';
import { ProtocolError } from './errors.js';

const deflate = promisify(deflateRaw);

/** How the values of a tensor are put into bytes: as they are, or bytes of one rank together, deflated. */
export const TENSOR_ENCODINGS = ['raw', 'shuffle-deflate'] as const;
export type TensorEncoding = (typeof TENSOR_ENCODINGS)[number];

export interface PackedTensor {
  readonly encoding: TensorEncoding;
  readonly bytes: Uint8Array;
}

/**
 * Packs float32 values without loss, off this thread. The bytes of one rank of all values stand
 * together before they are deflated, as HDF5's shuffle filter has it: images that were scaled by a
 * constant have few different exponents.
 */
export async function packTensor(values: Float32Array): Promise<PackedTensor> {
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const deflated = await deflate(transposed(raw, values.length, 4));
  if (deflated.byteLength >= raw.byteLength) return { encoding: 'raw', bytes: raw };
  return { encoding: 'shuffle-deflate', bytes: deflated };
}

/**
 * Unpacks exactly `count` values; never makes more bytes than those.
 * @throws ProtocolError PROTOCOL_INVALID when the bytes are not so many values
 */
export function unpackTensor({ encoding, bytes }: PackedTensor, count: number): Float32Array {
  const raw = encoding === 'raw' ? bytes : inflated(bytes, count * 4);
  if (raw.byteLength !== count * 4) {
    throw new ProtocolError(
      'PROTOCOL_INVALID',
      `A tensor of ${count} values has ${raw.byteLength} bytes, not ${count * 4}.`,
    );
  }
  const plain = encoding === 'raw' ? Uint8Array.from(raw) : transposed(raw, 4, count);
  return new Float32Array(plain.buffer, 0, count);
}

function inflated(bytes: Uint8Array, length: number): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: Math.max(1, length) });
  } catch (cause) {
    throw new ProtocolError(
      'PROTOCOL_INVALID',
      `A tensor's bytes do not inflate to ${length} bytes.`,
      { cause },
    );
  }
}

/** Rows and columns of bytes exchanged. */
function transposed(bytes: Uint8Array, rows: number, columns: number): Uint8Array {
  const out = new Uint8Array(bytes.byteLength);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      out[column * rows + row] = bytes[row * columns + column] ?? 0;
    }
  }
  return out;
}
