import { compressionReportSchema } from '@espalier/compression';
import { decodeSketch, DriftBets, EvidenceError, type WindowSketch } from '@espalier/evidence';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Database } from '../persistence/database.js';
import { jsonColumn } from '../persistence/sql.js';

const KEPT = 200;
/** A variant without a reference is looked up again after so long: it may be one still to come. */
const ABSENT_MS = 60_000;

const rowSchema = z.object({
  report: jsonColumn(compressionReportSchema.pick({ reference: true })),
});

/** What a variant was judged on when it was made: what its devices are held against. */
export interface Reference {
  readonly source: 'calibration' | 'evaluation';
  readonly samples: number;
  readonly sketch: WindowSketch;
  readonly bets: DriftBets;
  /** Log odds of confidence by which accuracy is estimated; null: it had no labels. */
  readonly threshold: number | null;
}

/** References of variants, from the reports of their compression. */
@Injectable()
export class References {
  private readonly kept = new Map<string, { reference: Reference | null; readAt: number }>();

  constructor(private readonly database: Database) {}

  /** Null: the variant is none that was made here, or its report has no reference. */
  async of(variantId: string): Promise<Reference | null> {
    const now = performance.now();
    const known = this.kept.get(variantId);
    if (known && (known.reference || now - known.readAt < ABSENT_MS)) return known.reference;
    const [row] = await this.database.read.sql.all(
      rowSchema,
      'SELECT "report" FROM "Candidate" WHERE "id" = ?',
      [variantId],
    );
    const reference = row ? referenceOf(row.report.reference) : null;
    this.kept.delete(variantId);
    this.kept.set(variantId, { reference, readAt: now });
    const [oldest] = this.kept.keys();
    if (this.kept.size > KEPT && oldest !== undefined) this.kept.delete(oldest);
    return reference;
  }

  /** Those of several variants that have one. */
  async ofAll(variantIds: Iterable<string>): Promise<Map<string, Reference>> {
    const found = new Map<string, Reference>();
    for (const id of new Set(variantIds)) {
      const reference = await this.of(id);
      if (reference) found.set(id, reference);
    }
    return found;
  }
}

function referenceOf(
  reported: z.infer<typeof compressionReportSchema>['reference'],
): Reference | null {
  if (!reported) return null;
  const { source, samples, confidenceThreshold: threshold } = reported;
  try {
    const sketch = decodeSketch(reported.sketch);
    return { source, samples, sketch, bets: DriftBets.on(sketch), threshold };
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    return null;
  }
}
