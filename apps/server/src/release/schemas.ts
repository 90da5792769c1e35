import { instantSchema, releaseSchema, signedSchema } from '@espalier/protocol';
import { z } from 'zod';

export const releaseRequestSchema = z.strictObject({ modelId: z.string(), planId: z.string() });
export type ReleaseRequest = z.infer<typeof releaseRequestSchema>;

export const signatureSchema = z.strictObject({ signed: signedSchema });
export type SignatureRequest = z.infer<typeof signatureSchema>;

export const releaseViewSchema = z.object({
  id: z.string(),
  modelId: z.string(),
  planId: z.string(),
  state: z.enum(['unsigned', 'signed']),
  document: releaseSchema,
  signed: signedSchema.nullable(),
  createdAt: instantSchema,
});
export type ReleaseView = z.infer<typeof releaseViewSchema>;

export const releaseListSchema = z.object({ releases: z.array(releaseViewSchema) });
