import { Inject, Injectable } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { ServerError } from '../errors.js';
import type { Model } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { BlobStore } from './blob-store.js';

type Bounds = Pick<Configuration, 'maxModels' | 'modelStoreBytes'>;
type Hashes = Pick<Model, 'sha256' | 'calibrationSha256' | 'evaluationSha256'>;

/**
 * Keeps uploaded models within a number and a number of bytes. They are people's own files, which no
 * compression can make again: none goes by itself, and a full store takes no more.
 */
@Injectable()
export class ModelBounds {
  constructor(
    private readonly database: Database,
    private readonly blobs: BlobStore,
    @Inject(CONFIGURATION) private readonly bounds: Bounds,
  ) {}

  /**
   * Refuses one more model that does not fit; a file that several models share counts once.
   * @throws ServerError MODELS_FULL
   */
  async refuseFull(added: Hashes): Promise<void> {
    const kept = await this.database.read.model.findMany({
      select: { sha256: true, calibrationSha256: true, evaluationSha256: true },
    });
    let bytes = 0;
    for (const sha256 of new Set([...kept, added].flatMap(filesOf))) {
      bytes += await this.blobs.bytes(sha256);
    }
    const { maxModels, modelStoreBytes } = this.bounds;
    if (kept.length < maxModels && bytes <= modelStoreBytes) return;
    throw new ServerError(
      'MODELS_FULL',
      507,
      `With this model there would be ${kept.length + 1} models of ${bytes} bytes, over ${maxModels} or ${modelStoreBytes}; remove one (\`espalier models remove\`), or raise MAX_MODELS or MODEL_STORE_MIB.`,
    );
  }
}

/** Hashes of the files that a model was uploaded with. */
export const filesOf = ({ sha256, calibrationSha256, evaluationSha256 }: Hashes): string[] => [
  sha256,
  calibrationSha256,
  ...(evaluationSha256 === null ? [] : [evaluationSha256]),
];
