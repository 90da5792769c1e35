import { compressionReportSchema } from '@espalier/compression';
import { failureSchema, instantSchema, sha256Schema } from '@espalier/protocol';
import { z } from 'zod';

export const modelSchema = z.object({
  id: z.string(),
  name: z.string(),
  sha256: sha256Schema,
  bytes: z.number().int(),
  calibrationSha256: sha256Schema,
  evaluationSha256: sha256Schema.nullable(),
  card: z.unknown(),
  inspection: z.unknown(),
  createdAt: instantSchema,
});
export type ModelView = z.infer<typeof modelSchema>;

export const modelListSchema = z.object({ models: z.array(modelSchema) });

export const jobSchema = z.object({
  id: z.string(),
  kind: z.literal('candidates'),
  modelId: z.string(),
  state: z.enum(['queued', 'running', 'done', 'failed', 'cancelled']),
  stage: z.string(),
  progress: z.number().min(0).max(1),
  error: failureSchema.optional(),
  createdAt: instantSchema,
  finishedAt: instantSchema.nullable(),
});
export type JobView = z.infer<typeof jobSchema>;

export const jobListSchema = z.object({ jobs: z.array(jobSchema) });

export const candidateSchema = z.object({
  id: z.string(),
  modelId: z.string(),
  jobId: z.string(),
  /** The `report.json` of the compression. */
  report: compressionReportSchema,
  model: z.object({ sha256: sha256Schema, bytes: z.number().int() }),
  artifact: z.object({
    sha256: sha256Schema,
    bytes: z.number().int(),
    encoding: z.enum(['identity', 'brotli', 'espalier-sparse']),
  }),
  createdAt: instantSchema,
});
export type CandidateView = z.infer<typeof candidateSchema>;

export const candidateListSchema = z.object({ candidates: z.array(candidateSchema) });
