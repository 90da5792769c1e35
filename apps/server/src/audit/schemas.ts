import { instantSchema, sha256Schema } from '@espalier/protocol';
import { auditEntrySchema } from '@espalier/trust';
import { z } from 'zod';

export const auditQuerySchema = z.object({
  actor: z.string().max(200).optional(),
  /** Begins so, as `POST /api/v1/rollouts`. */
  action: z.string().max(200).optional(),
  outcome: auditEntrySchema.shape.outcome.optional(),
  order: z.enum(['newest', 'oldest']).default('newest'),
  /** Goes on after this `seq`, in that order. */
  cursor: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
export type AuditQuery = z.infer<typeof auditQuerySchema>;

export const auditPageSchema = z.object({
  entries: z.array(auditEntrySchema),
  next: z.number().int().nullable(),
});
export type AuditPage = z.infer<typeof auditPageSchema>;

export const auditVerdictSchema = z.object({
  entries: z.number().int(),
  /** Kept elsewhere, it proves later that nothing up to it was rewritten or cut off. */
  head: z.object({ seq: z.number().int(), hash: sha256Schema }).nullable(),
  /** The first entry that does not continue the chain. */
  fault: z
    .object({
      seq: z.number().int(),
      at: instantSchema,
      why: z.enum(['missing', 'unlinked', 'altered']),
    })
    .nullable(),
});
export type AuditVerdict = z.infer<typeof auditVerdictSchema>;
