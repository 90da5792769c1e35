import { z } from 'zod';
import { releaseSchema, signedSchema } from './metadata.js';
import { instantSchema } from './primitives.js';

/** A release and its signature: the answer of `/api/v1/releases/{id}`. */
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
