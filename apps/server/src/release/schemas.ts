import { releaseViewSchema, signedSchema } from '@espalier/protocol';
import { z } from 'zod';

export { releaseViewSchema, type ReleaseView } from '@espalier/protocol';

export const releaseRequestSchema = z.strictObject({ modelId: z.string(), planId: z.string() });
export type ReleaseRequest = z.infer<typeof releaseRequestSchema>;

export const signatureSchema = z.strictObject({ signed: signedSchema });
export type SignatureRequest = z.infer<typeof signatureSchema>;

export const releaseListSchema = z.object({ releases: z.array(releaseViewSchema) });
