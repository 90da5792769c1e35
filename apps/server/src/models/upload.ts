import type {} from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { ServerError } from '../errors.js';
import type { Blob, BlobStore } from './blob-store.js';
import type { ModelFiles } from './library.js';

const CARD_BYTES = 256 * 1024;

/** Largest files taken, bytes. */
export interface UploadLimits {
  readonly maxModelBytes: number;
  readonly maxDatasetBytes: number;
}

/**
 * Reads a multipart upload of a model: files `model` and `calibration`, if given `evaluation` and
 * `card`, and the field `name`. Files go straight to the store.
 * @throws ServerError UPLOAD_INCOMPLETE, UPLOAD_TOO_LARGE, REQUEST_INVALID
 */
export async function readModelUpload(
  request: FastifyRequest,
  blobs: BlobStore,
  limits: UploadLimits,
): Promise<{ name: string; files: ModelFiles }> {
  if (!request.isMultipart()) {
    throw new ServerError('REQUEST_INVALID', 400, 'A model is uploaded as multipart/form-data.');
  }
  const stored = new Map<string, Blob>();
  let card: unknown = null;
  let name: string | null = null;
  const parts = request.parts({
    limits: {
      files: 4,
      fields: 4,
      fileSize: Math.max(limits.maxModelBytes, limits.maxDatasetBytes) + 1,
    },
  });
  for await (const part of parts) {
    if (part.type === 'field') {
      if (part.fieldname === 'name' && typeof part.value === 'string') name = part.value.trim();
      else if (part.fieldname === 'card' && typeof part.value === 'string')
        card = parseCard(part.value);
      continue;
    }
    switch (part.fieldname) {
      case 'model':
        stored.set('model', await blobs.put(part.file, limits.maxModelBytes));
        break;
      case 'calibration':
      case 'evaluation':
        stored.set(part.fieldname, await blobs.put(part.file, limits.maxDatasetBytes));
        break;
      case 'card':
        card = parseCard(await readText(part.file));
        break;
      default:
        throw new ServerError(
          'REQUEST_INVALID',
          400,
          `"${part.fieldname}" is none of model, calibration, evaluation, card, name.`,
        );
    }
  }
  const model = stored.get('model');
  const calibration = stored.get('calibration');
  if (!model || !calibration || name === null || name === '' || name.length > 128) {
    throw new ServerError(
      'UPLOAD_INCOMPLETE',
      400,
      'A model needs the files model and calibration, and a name of 1 to 128 characters.',
    );
  }
  return {
    name,
    files: { model, calibration, evaluation: stored.get('evaluation') ?? null, card },
  };
}

async function readText(source: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of source) {
    bytes += part.byteLength;
    if (bytes > CARD_BYTES) {
      throw new ServerError('UPLOAD_TOO_LARGE', 413, `A card has at most ${CARD_BYTES} bytes.`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parseCard(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ServerError('REQUEST_INVALID', 400, 'card: is not JSON.', { cause });
  }
}
