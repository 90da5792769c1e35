import { compressionReportSchema } from '@espalier/compression';
import { sha256Schema } from '@espalier/protocol';
import { candidateCostsSchema } from '@espalier/tuning';
import { z } from 'zod';

/** What the API asks of a compression, and what is passed to its process. */
export const candidatesRequestSchema = z.strictObject({
  /** Candidates to make, from the largest to the smallest. */
  points: z.number().int().min(1).max(32).default(6),
  precisions: z
    .array(z.enum(['fp32', 'int8']))
    .min(1)
    .max(2)
    .default(['fp32', 'int8']),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31)
    .default(1),
});
export type CandidatesRequest = z.infer<typeof candidatesRequestSchema>;

const inputs = {
  modelPath: z.string(),
  calibrationPath: z.string(),
  evaluationPath: z.string().nullable(),
  /** The input card as uploaded; null: none. */
  card: z.unknown(),
};

/** What a compression process is given, as paths: nothing large goes over the pipe. */
export const compressionTaskSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('inspect'), ...inputs }),
  z.object({
    type: z.literal('compress'),
    ...inputs,
    request: candidatesRequestSchema,
    /** Where it writes what it makes. */
    outFolder: z.string(),
  }),
]);
export type CompressionTask = z.infer<typeof compressionTaskSchema>;

const candidateFileSchema = z.object({
  modelFile: z.string(),
  artifactFile: z.string(),
  encoding: z.enum(['identity', 'brotli', 'espalier-sparse']),
  modelSha256: sha256Schema,
  artifactSha256: sha256Schema,
  report: compressionReportSchema,
  costs: candidateCostsSchema,
});
export type CandidateFile = z.infer<typeof candidateFileSchema>;

/** What a compression process says; all but `progress` end it. */
export const compressionMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('progress'),
    stage: z.string().max(200),
    done: z.number(),
    total: z.number(),
  }),
  z.object({ type: z.literal('inspected'), inspection: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.literal('compressed'), candidates: z.array(candidateFileSchema).max(256) }),
  z.object({ type: z.literal('failed'), code: z.string().max(64), message: z.string().max(4096) }),
]);
export type CompressionMessage = z.infer<typeof compressionMessageSchema>;
