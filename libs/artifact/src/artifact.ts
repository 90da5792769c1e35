import { fromBrotli, toBrotli } from './brotli.js';
import { ArtifactError } from './errors.js';
import { fromSparse, toSparse } from './sparse/container.js';
import type { Segment } from './sparse/segment.js';

/** How the bytes that are sent become the file: as they are, or expanded. */
export const ENCODINGS = ['identity', 'brotli', 'espalier-sparse'] as const;
const PLAIN_ENCODINGS = ['identity', 'brotli'] as const;
export type ArtifactEncoding = (typeof ENCODINGS)[number];

/** A file as it is sent. */
export interface EncodedArtifact {
  readonly encoding: ArtifactEncoding;
  readonly bytes: Uint8Array;
}

/** Most bytes that one byte of an artifact may become, as deflate has it by its nature. */
const MAX_RATIO = 1024;
/** What even the smallest artifact may become. */
const ALWAYS_TAKEN_BYTES = 2 ** 20;

/** What the receiver knows of the file before it expands it. */
export interface ArtifactLimits {
  /** Bytes of the file, exactly. */
  readonly length: number;
  /** Most bytes that the receiver can take. */
  readonly maxBytes: number;
}

/**
 * Encodes a file for sending. An encoding that would expand too far is not chosen by `best`.
 * @param encoding the encoding to use; `best` tries each and keeps the shortest
 * @param segments where tensors of numbers lie in the file; `espalier-sparse` models those element by
 * element, and is not tried by `best` without any
 * @throws ArtifactError ARTIFACT_SEGMENTS
 */
export async function encodeArtifact(
  bytes: Uint8Array,
  encoding: ArtifactEncoding | 'best',
  segments: readonly Segment[] = [],
): Promise<EncodedArtifact> {
  if (encoding !== 'best') return { encoding, bytes: await encode(bytes, encoding, segments) };
  let best: EncodedArtifact = { encoding: 'identity', bytes };
  for (const each of segments.length > 0 ? ENCODINGS : PLAIN_ENCODINGS) {
    const encoded = await encode(bytes, each, segments);
    const isShorter = encoded.length < best.bytes.length;
    if (isShorter && bytes.length <= mostExpanded(encoded)) {
      best = { encoding: each, bytes: encoded };
    }
  }
  return best;
}

function encode(
  bytes: Uint8Array,
  encoding: ArtifactEncoding,
  segments: readonly Segment[],
): Promise<Uint8Array> {
  switch (encoding) {
    case 'identity':
      return Promise.resolve(bytes);
    case 'brotli':
      return toBrotli(bytes);
    case 'espalier-sparse':
      return toSparse(bytes, segments);
  }
}

const mostExpanded = (artifact: Uint8Array): number =>
  Math.max(ALWAYS_TAKEN_BYTES, artifact.length * MAX_RATIO);

/**
 * Expands an artifact part by part, never beyond the announced length; a reader that writes each
 * part away holds little. The parts are the file's exact bytes, in order; check their hash.
 * @throws ArtifactError ARTIFACT_TOO_LARGE, ARTIFACT_LENGTH, ARTIFACT_CORRUPT
 */
export async function* artifactParts(
  encoding: ArtifactEncoding,
  bytes: Uint8Array,
  { length, maxBytes }: ArtifactLimits,
): AsyncGenerator<Uint8Array> {
  if (length > maxBytes) {
    throw new ArtifactError(
      'ARTIFACT_TOO_LARGE',
      `The artifact expands to ${length} bytes; at most ${maxBytes} are taken here.`,
    );
  }
  if (length > mostExpanded(bytes)) {
    throw new ArtifactError(
      'ARTIFACT_TOO_LARGE',
      `${bytes.length} bytes are said to expand to ${length}; at most ${MAX_RATIO} times as many are taken.`,
    );
  }
  let done = 0;
  for await (const part of expand(encoding, bytes, length)) {
    done += part.length;
    if (done > length) throw wrongLength(`more than ${length}`, length);
    yield part;
  }
  if (done !== length) throw wrongLength(String(done), length);
}

/**
 * Expands an artifact to the exact bytes that were encoded.
 * @throws ArtifactError ARTIFACT_TOO_LARGE, ARTIFACT_LENGTH, ARTIFACT_CORRUPT
 */
export async function decodeArtifact(
  encoding: ArtifactEncoding,
  bytes: Uint8Array,
  limits: ArtifactLimits,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of artifactParts(encoding, bytes, limits)) parts.push(part);
  const out = new Uint8Array(limits.length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

async function* expand(
  encoding: ArtifactEncoding,
  bytes: Uint8Array,
  length: number,
): AsyncGenerator<Uint8Array> {
  switch (encoding) {
    case 'identity':
      yield bytes;
      return;
    case 'brotli':
      yield* fromBrotli(bytes);
      return;
    case 'espalier-sparse':
      yield await fromSparse(bytes, length);
  }
}

const wrongLength = (found: string, length: number): ArtifactError =>
  new ArtifactError(
    'ARTIFACT_LENGTH',
    `The artifact expands to ${found} bytes; ${length} were announced.`,
  );
