import { failureSchema, instantSchema } from '@espalier/protocol';
import { DEVICE_STATUSES, ROLLOUT_STATUSES, rolloutSpecSchema } from '@espalier/rollout';
import { z } from 'zod';

export const rolloutRequestSchema = rolloutSpecSchema.extend({
  releaseId: z.string(),
  planId: z.string(),
});
export type RolloutRequest = z.infer<typeof rolloutRequestSchema>;

const by = z.string().min(1).max(128).default('api');
const why = z.string().max(1024).default('');

export const orderSchema = z.strictObject({ by, why });
export type OrderRequest = z.infer<typeof orderSchema>;

export const resumeSchema = z.strictObject({
  by,
  why,
  /** Open the next stage of a held rollout although its gate did not pass. */
  promote: z.boolean().default(false),
});
export type ResumeRequest = z.infer<typeof resumeSchema>;

export const abortSchema = z.strictObject({
  by,
  why,
  /** Take back the devices that are updated already, or let them be. */
  mode: z.enum(['keep', 'revert']).default('keep'),
});
export type AbortRequest = z.infer<typeof abortSchema>;

export const rolloutSummarySchema = z.object({
  id: z.string(),
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
    z.object({ percent: z.number(), devices: z.number().int(), counts: countsSchema }),
  ),
  haltedVariants: z.array(z.string()),
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

export const replaySchema = z.object({
  events: z.number().int(),
  decisions: z.number().int(),
  /** Whether the recorded events lead to the recorded decisions, number for number. */
  identical: z.boolean(),
});
