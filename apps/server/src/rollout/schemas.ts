import { failureSchema, instantSchema, sha256Schema } from '@espalier/protocol';
import { DEVICE_STATUSES, ROLLOUT_STATUSES, rolloutSpecSchema } from '@espalier/rollout';
import { z } from 'zod';
import { assignmentSchema } from '../tuning/schemas.js';

export const rolloutRequestSchema = rolloutSpecSchema.extend({
  releaseId: z.string(),
  planId: z.string(),
});
export type RolloutRequest = z.infer<typeof rolloutRequestSchema>;

const why = z.string().max(1024).default('');

export const orderSchema = z.strictObject({ why });
export type OrderRequest = z.infer<typeof orderSchema>;

/** An approval says why. */
export const approvalSchema = z.strictObject({ why: z.string().min(1).max(1024) });

export const resumeSchema = z.strictObject({
  why,
  /** Open the next stage of a held rollout although its gate did not pass. */
  promote: z.boolean().default(false),
});
export type ResumeRequest = z.infer<typeof resumeSchema>;

export const abortSchema = z.strictObject({
  why,
  /** Take back the devices that are updated already, or let them be. */
  mode: z.enum(['keep', 'revert']).default('keep'),
});
export type AbortRequest = z.infer<typeof abortSchema>;

export const rolloutSummarySchema = z.object({
  id: z.string(),
  /** The release's model and version. */
  model: z.string(),
  version: z.number().int(),
  releaseId: z.string(),
  planId: z.string(),
  status: z.enum(ROLLOUT_STATUSES),
  createdAt: instantSchema,
  updatedAt: instantSchema,
});
export type RolloutSummary = z.infer<typeof rolloutSummarySchema>;

export const rolloutListSchema = z.object({ rollouts: z.array(rolloutSummarySchema) });

const countsSchema = z.record(z.enum(DEVICE_STATUSES), z.number().int());

export const rolloutViewSchema = rolloutSummarySchema.extend({
  spec: rolloutSpecSchema,
  /** Index of the open stage; -1 before the start. */
  stage: z.number().int(),
  stages: z.array(
    z.object({
      /** Which devices it takes, in words: `25 %`, `10 devices`, `site=lyon`, `controls`. */
      name: z.string(),
      /** Cumulative; null where the stage is no percent. */
      percent: z.number().nullable(),
      devices: z.number().int(),
      counts: countsSchema,
    }),
  ),
  haltedVariants: z.array(z.string()),
  /** What the gates see now, by variant; null before the start and where no gate asks for it. */
  evidence: z.record(z.string(), z.record(z.string(), z.unknown())).nullable(),
  /** How each gate of the open stage stands, and the numbers that it follows from. */
  gates: z.array(
    z.object({
      rule: z.string(),
      /** Null: the stage as a whole. */
      variantId: z.string().nullable(),
      verdict: z.enum(['halt', 'wait', 'hold', 'pass']),
      /** Null: nothing was measured. */
      numbers: z.record(z.string(), z.unknown()).nullable(),
    }),
  ),
  devices: z.array(
    z.object({
      deviceId: z.string(),
      variantId: z.string(),
      stage: z.number().int(),
      status: z.enum(DEVICE_STATUSES),
      attempt: z.number().int(),
      failure: failureSchema.nullable(),
      since: instantSchema,
      /** Payload bytes of chunks sent for this rollout. */
      sentBytes: z.number().int(),
    }),
  ),
  /** Payload bytes of chunks sent in all. */
  bytesSent: z.number().int(),
});
export type RolloutView = z.infer<typeof rolloutViewSchema>;

export const decisionListSchema = z.object({
  decisions: z.array(z.record(z.string(), z.unknown())),
});

export const deviceTargetsSchema = z.object({
  targets: z.array(
    z.object({
      generation: z.number().int(),
      purpose: z.enum(['update', 'revert']),
      rolloutId: z.string().nullable(),
      releaseId: z.string(),
      modelId: z.string().nullable(),
      model: z.string().nullable(),
      version: z.number().int().nullable(),
      variantId: z.string(),
      modelSha256: sha256Schema,
      createdAt: instantSchema,
      sentBytes: z.number().int(),
    }),
  ),
});
export type DeviceTargets = z.infer<typeof deviceTargetsSchema>;

export const deviceChoiceSchema = z.object({
  /** Null: no rollout took the device yet. */
  choice: z
    .object({
      rolloutId: z.string(),
      planId: z.string(),
      modelId: z.string(),
      plannedAt: instantSchema,
      assignment: assignmentSchema,
    })
    .nullable(),
});
export type DeviceChoice = z.infer<typeof deviceChoiceSchema>;
