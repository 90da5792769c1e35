import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { parseSelector } from '../fleet/selector.js';
import { Database } from '../persistence/database.js';
import { DeviceTags, labelsMatch } from '../telemetry/device-tags.js';
import type { RollUpFilter } from '../telemetry/series.js';

const rowSchema = z.object({
  releaseId: z.string(),
  variantId: z.string(),
  modelName: z.string(),
  deviceId: z.string(),
  classified: z.coerce.number(),
  agreed: z.coerce.number(),
});

/** What the dense model said of a variant's samples. */
export interface VariantAgreement {
  readonly releaseId: string;
  readonly variantId: string;
  readonly modelName: string;
  readonly classified: number;
  readonly agreed: number;
}

/** Agreement over the last minutes, from single samples. */
@Injectable()
export class RecentAgreement {
  constructor(
    private readonly database: Database,
    private readonly tags: DeviceTags,
  ) {}

  /** Of samples that were taken from `from` on, variant by variant. */
  async since(from: Date, filter: RollUpFilter): Promise<VariantAgreement[]> {
    const where = [`s."state" = 'judged'`, 's."takenAt" >= ?', 's."agreed" IS NOT NULL'];
    const values: (string | Date)[] = [from];
    for (const [column, value] of [
      ['s."releaseId"', filter.releaseId],
      ['s."variantId"', filter.variantId],
      ['r."modelName"', filter.model],
    ] as const) {
      if (value === undefined) continue;
      where.push(`${column} = ?`);
      values.push(value);
    }
    const rows = await this.database.read.sql.all(
      rowSchema,
      `SELECT s."releaseId", s."variantId", r."modelName", s."deviceId",
       COUNT(*) AS classified, SUM(s."agreed") AS agreed
       FROM "ShadowSample" s JOIN "Release" r ON r."id" = s."releaseId"
       WHERE ${where.join(' AND ')}
       GROUP BY s."releaseId", s."variantId", r."modelName", s."deviceId"`,
      values,
    );
    const selector = parseSelector(filter.selector ?? '');
    const isLimited = Object.keys(selector).length > 0;
    const tags = isLimited ? await this.tags.of(rows.map(({ deviceId }) => deviceId)) : null;
    const variants = new Map<string, VariantAgreement>();
    for (const { deviceId, ...row } of rows) {
      if (tags && !labelsMatch(tags.get(deviceId)?.labels ?? '', selector)) continue;
      const key = `${row.releaseId}/${row.variantId}`;
      const { classified = 0, agreed = 0 } = variants.get(key) ?? {};
      variants.set(key, {
        ...row,
        classified: classified + row.classified,
        agreed: agreed + row.agreed,
      });
    }
    return [...variants.values()];
  }
}
