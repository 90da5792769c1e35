import { Injectable } from '@nestjs/common';
import { releaseSchema } from '@espalier/protocol';
import { Database } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';

const KEPT = 200;

/** What a release is of. */
export interface ReleasedModel {
  readonly modelId: string;
  /** SHA-256 of each variant's model file, by the variant's id. */
  readonly variants: ReadonlyMap<string, string>;
}

/** From a release to the model that it was made of; a release never changes. */
@Injectable()
export class ReleasedModels {
  private readonly kept = new Map<string, ReleasedModel>();

  constructor(private readonly database: Database) {}

  /** Null: there is no such release. */
  async of(releaseId: string): Promise<ReleasedModel | null> {
    const known = this.kept.get(releaseId);
    if (known) return known;
    const row = await this.database.read.release.findUnique({ where: { id: releaseId } });
    if (!row) return null;
    const { variants } = fromJson(releaseSchema, row.document);
    const found: ReleasedModel = {
      modelId: row.modelId,
      variants: new Map(variants.map(({ id, model }) => [id, model.sha256])),
    };
    const [oldest] = this.kept.keys();
    if (this.kept.size >= KEPT && oldest !== undefined) this.kept.delete(oldest);
    this.kept.set(releaseId, found);
    return found;
  }

  /** Ids of the releases of a model. */
  async releasesOf(modelId: string): Promise<ReadonlySet<string>> {
    const rows = await this.database.read.release.findMany({
      where: { modelId },
      select: { id: true },
    });
    return new Set(rows.map(({ id }) => id));
  }
}
