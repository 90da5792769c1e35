import { z } from 'zod';
import { budgetSchema } from './profile.js';
import { instantSchema } from './primitives.js';

/** What a plan gives one device, and why. */
export const assignmentSchema = z.object({
  deviceId: z.string(),
  /** Null: nothing fits, or the device has no profile yet; the reasons say which. */
  candidateId: z.string().nullable(),
  predictedLatencyMs: z.number().nullable(),
  reasons: z.array(z.string()),
  excluded: z.array(z.object({ candidateId: z.string(), why: z.string() })),
  /** The smallest change of limits that would let the device be served. */
  wouldFit: z.object({ candidateId: z.string(), text: z.string() }).optional(),
  /** Quality given up against the device's own best, which few variants for many devices may cost. */
  loss: z.number().optional(),
});
export type Assignment = z.infer<typeof assignmentSchema>;

/** A candidate on a device: what it would cost there. */
export const planOptionSchema = z.object({
  candidateId: z.string(),
  precision: z.enum(['fp32', 'int8']),
  accuracy: z.number().nullable(),
  latencyMs: z.object({ low: z.number(), predicted: z.number(), high: z.number() }),
  ramBytes: z.number(),
  storageBytes: z.number(),
  transferBytes: z.number(),
  /** Hard limits that it breaks, with the figures; null: none. */
  excludedBy: z.string().nullable(),
});
export type PlanOption = z.infer<typeof planOptionSchema>;

/** Which candidate each device would get: the answer of `/api/v1/plans`. */
export const planSchema = z.object({
  id: z.string(),
  modelId: z.string(),
  selector: z.string(),
  assignments: z.array(assignmentSchema),
  createdAt: instantSchema,
});
export type PlanView = z.infer<typeof planSchema>;

/** The same without storing it, with every candidate's cost: the answer of `/api/v1/plans/preview`. */
export const planPreviewSchema = z.object({
  modelId: z.string(),
  selector: z.string(),
  assignments: z.array(
    assignmentSchema.extend({ budget: budgetSchema, options: z.array(planOptionSchema) }),
  ),
  /** Devices that match beyond those shown. */
  more: z.number().int(),
});
export type PlanPreview = z.infer<typeof planPreviewSchema>;
