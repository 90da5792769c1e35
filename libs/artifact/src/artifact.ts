import { fromBrotli, toBrotli } from './brotli.js';
import { ArtifactError } from './errors.js';

/** How the bytes that are sent become the file: as they are, or expanded. */
export const ENCODINGS = ['identity', 'brotli'] as const;
export type ArtifactEncoding = (typeof ENCODINGS)[number];

/** A file as it is sent. */
export interface EncodedArtifact {
  readonly encoding: ArtifactEncoding;
  readonly bytes: Uint8Array;
}

/** What the receiver knows of the file before it expands it. */
export interface ArtifactLimits {
  /** Bytes of the file, exactly. */
  readonly length: number;
  /** Most bytes that the receiver can take. */
  readonly maxBytes: number;
}

/**
 * Encodes a file for sending.
 * @param encoding the encoding to use; `best` tries each and keeps the shortest
 */
export async function encodeArtifact(
  bytes: Uint8Array,
  encoding: ArtifactEncoding | 'best',
): Promise<EncodedArtifact> {
  const wanted = encoding === 'best' ? ENCODINGS : [encoding];
  let best: EncodedArtifact | undefined;
  for (const each of wanted) {
    const encoded = each === 'identity' ? bytes : await toBrotli(bytes);
    if (!best || encoded.length < best.bytes.length) best = { encoding: each, bytes: encoded };
  }
  return best ?? { encoding: 'identity', bytes };
}

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
  let done = 0;
  for await (const part of expand(encoding, bytes)) {
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

async function* expand(encoding: ArtifactEncoding, bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (encoding === 'identity') yield bytes;
  else yield* fromBrotli(bytes);
}

const wrongLength = (found: string, length: number): ArtifactError =>
  new ArtifactError(
    'ARTIFACT_LENGTH',
    `The artifact expands to ${found} bytes; ${length} were announced.`,
  );
