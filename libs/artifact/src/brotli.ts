import { promisify } from 'node:util';
import { brotliCompress, constants, createBrotliDecompress } from 'node:zlib';
import { ArtifactError } from './errors.js';

const compress = promisify(brotliCompress);

/** Largest window that every decoder must take, as a power of two. */
const MAX_WINDOW_BITS = 24;

/** Brotli at its highest quality. */
export async function toBrotli(bytes: Uint8Array): Promise<Uint8Array> {
  return compress(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      [constants.BROTLI_PARAM_LGWIN]: MAX_WINDOW_BITS,
    },
  });
}

/**
 * Expands brotli part by part; what has been expanded is not kept.
 * @throws ArtifactError ARTIFACT_CORRUPT
 */
export async function* fromBrotli(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const stream = createBrotliDecompress();
  stream.end(bytes);
  try {
    for await (const part of stream as AsyncIterable<Uint8Array>) yield part;
  } catch (cause) {
    throw new ArtifactError(
      'ARTIFACT_CORRUPT',
      `${bytes.length} bytes do not expand as brotli. Receive the artifact again.`,
      { cause },
    );
  } finally {
    stream.destroy();
  }
}
