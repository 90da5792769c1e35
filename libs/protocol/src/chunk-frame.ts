import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';

const MAGIC = 0x45535043;
const HEADER = 4 + 32 + 4;

/** One chunk on the wire: magic, SHA-256 of the artifact, index (big endian), payload. */
export interface ChunkFrame {
  readonly artifactSha256: string;
  readonly index: number;
  readonly payload: Uint8Array;
}

/** Encodes a chunk for a `chunk` or content topic. */
export function encodeChunk(frame: ChunkFrame): Uint8Array {
  const bytes = new Uint8Array(HEADER + frame.payload.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  bytes.set(Buffer.from(frame.artifactSha256, 'hex'), 4);
  view.setUint32(36, frame.index);
  bytes.set(frame.payload, HEADER);
  return bytes;
}

/**
 * Decodes a chunk; the payload is a view of `bytes`.
 * @throws ProtocolError PROTOCOL_FRAME
 */
export function decodeChunk(bytes: Uint8Array): ChunkFrame {
  if (bytes.byteLength <= HEADER || bytes.byteLength > HEADER + LIMITS.chunkBytes) {
    throw new ProtocolError(
      'PROTOCOL_FRAME',
      `A chunk frame of ${bytes.byteLength} bytes is not between ${HEADER + 1} and ${HEADER + LIMITS.chunkBytes}.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== MAGIC) {
    throw new ProtocolError('PROTOCOL_FRAME', 'A chunk frame does not start with ESPC.');
  }
  return {
    artifactSha256: Buffer.from(bytes.subarray(4, 36)).toString('hex'),
    index: view.getUint32(36),
    payload: bytes.subarray(HEADER),
  };
}
