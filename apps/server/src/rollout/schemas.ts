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

export const previewSchema = z.object({
  devices: z.number().int(),
  controls: z.number().int(),
  variants: z.array(
    z.object({
      variantId: z.string(),
      precision: z.string(),
      devices: z.number().int(),
      artifactBytes: z.number().int(),
      /** As the compression report gives it; null: not measured there. */
      expectedAccuracy: z.number().nullable(),
    }),
  ),
  stages: z.array(
    z.object({
      name: z.string(),
      devices: z.number().int(),
      bytes: z.number().int(),
      seconds: z.number(),
    }),
  ),
  /** Payload bytes if every device is sent its artifact once, by itself. */
  bytes: z.number().int(),
  /** At least: soak, rate and slots, and what a device took in earlier rollouts. */
  seconds: z.number(),
  /** Median seconds from target to success that the estimate rests on; null: none measured yet. */
  deviceSeconds: z.number().nullable(),
  /** Mean over the devices, by the reports' evaluation; null where one has none. */
  expectedAccuracy: z.object({ before: z.number(), after: z.number() }).nullable(),
  misfits: z.array(z.object({ deviceId: z.string(), why: z.string() })),
});
export type Preview = z.infer<typeof previewSchema>;

export const decisionListSchema = z.object({
  decisions: z.array(z.record(z.string(), z.unknown())),
});

export const replaySchema = z.object({
  events: z.number().int(),
  decisions: z.number().int(),
  /** Whether the recorded events lead to the recorded decisions, number for number. */
  identical: z.boolean(),
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
