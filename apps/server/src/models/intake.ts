import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { BlobStore } from './blob-store.js';
import { Library } from './library.js';
import { Retention } from './retention.js';
import type { ModelView } from './schemas.js';
import { readModelUpload } from './upload.js';

/** Takes models in and lets them go; of one that is refused or removed no file stays. */
@Injectable()
export class Intake {
  /** Files of uploads under way, by how many of them. */
  private readonly underWay = new Map<string, number>();

  constructor(
    private readonly library: Library,
    private readonly blobs: BlobStore,
    private readonly retention: Retention,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  /** @throws ServerError as readModelUpload and Library.add do; CompressionFailed as Library.add does */
  async take(request: FastifyRequest): Promise<ModelView> {
    const stored: string[] = [];
    const onStored = ({ sha256 }: { sha256: string }): void => {
      stored.push(sha256);
      this.underWay.set(sha256, (this.underWay.get(sha256) ?? 0) + 1);
    };
    try {
      const upload = await readModelUpload(request, this.blobs, this.configuration, onStored);
      return await this.library.add(upload.name, upload.files);
    } finally {
      for (const sha256 of stored) {
        const others = (this.underWay.get(sha256) ?? 1) - 1;
        if (others > 0) this.underWay.set(sha256, others);
        else this.underWay.delete(sha256);
      }
      await this.forget(stored);
    }
  }

  /** @throws ServerError as Library.remove does */
  async remove(id: string): Promise<void> {
    await this.forget(await this.library.remove(id));
  }

  /** Files of an upload under way are left to it. */
  private async forget(hashes: readonly string[]): Promise<void> {
    await this.retention.forget(hashes.filter((sha256) => !this.underWay.has(sha256)));
  }
}
