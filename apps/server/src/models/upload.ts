import type {} from '@fastify/multipart';
import { parseJson } from '@espalier/protocol';
import type { FastifyRequest } from 'fastify';
import { ServerError } from '../errors.js';
import type { Blob, BlobStore } from './blob-store.js';
import type { ModelFiles } from './library.js';

const CARD_BYTES = 256 * 1024;
/** Of a file's name, which is never used, and of the model's, which is shown: no path, nothing hidden. */
const NAME = /^(?!\.{1,2}$)[^/\\\p{Cc}\p{Cf}\p{Surrogate}]{1,128}$/u;

/** Largest files taken, bytes. */
export interface UploadLimits {
  readonly maxModelBytes: number;
  readonly maxDatasetBytes: number;
}

/**
 * Reads a multipart upload of a model: files `model` and `calibration`, if given `evaluation` and
 * `card`, and the field `name`. Files go straight to the store.
 * @param onStored told of each file that the store took, also where the upload is refused later
 * @throws ServerError UPLOAD_INCOMPLETE, UPLOAD_NAME, UPLOAD_TOO_LARGE, REQUEST_INVALID
 */
export async function readModelUpload(
  request: FastifyRequest,
  blobs: BlobStore,
  limits: UploadLimits,
  onStored: (blob: Blob) => void,
): Promise<{ name: string; files: ModelFiles }> {
  if (!request.isMultipart()) {
    throw new ServerError('REQUEST_INVALID', 400, 'A model is uploaded as multipart/form-data.');
  }
  const stored = new Map<string, Blob>();
  let card: unknown = null;
  let name: string | null = null;
  const take = async (source: AsyncIterable<Buffer>, maxBytes: number): Promise<Blob> => {
    const blob = await blobs.put(source, maxBytes);
    onStored(blob);
    return blob;
  };
  const parts = request.parts({
    preservePath: true,
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
    if (!NAME.test(part.filename)) throw badName(`The file name of ${part.fieldname}`);
    switch (part.fieldname) {
      case 'model':
        stored.set('model', await take(part.file, limits.maxModelBytes));
        break;
      case 'calibration':
      case 'evaluation':
        stored.set(part.fieldname, await take(part.file, limits.maxDatasetBytes));
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
  if (!NAME.test(name)) throw badName('The name of the model');
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

/** @throws ProtocolError when it is no JSON, or is nested too deep */
const parseCard = (text: string): unknown => parseJson(Buffer.from(text));

const badName = (what: string): ServerError =>
  new ServerError(
    'UPLOAD_NAME',
    400,
    `${what} must be 1 to 128 characters without slashes, backslashes and control characters.`,
  );
