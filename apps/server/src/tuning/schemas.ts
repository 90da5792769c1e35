import { instantSchema } from '@espalier/protocol';
import { z } from 'zod';

export const planRequestSchema = z.strictObject({
  modelId: z.string(),
  /** Which devices to plan for, `key=value,key2=value2`; empty: all that have a profile. */
  selector: z.string().max(1024).default(''),
});
export type PlanRequest = z.infer<typeof planRequestSchema>;

export const assignmentSchema = z.object({
  deviceId: z.string(),
  /** Null: nothing fits, or the device has no profile yet; the reasons say which. */
  candidateId: z.string().nullable(),
  predictedLatencyMs: z.number().nullable(),
  reasons: z.array(z.string()),
  excluded: z.array(z.object({ candidateId: z.string(), why: z.string() })),
  /** The smallest change of limits that would let the device be served. */
  wouldFit: z.object({ candidateId: z.string(), text: z.string() }).optional(),
});
export type Assignment = z.infer<typeof assignmentSchema>;

export const planSchema = z.object({
  id: z.string(),
  modelId: z.string(),
  selector: z.string(),
  assignments: z.array(assignmentSchema),
  createdAt: instantSchema,
});
export type PlanView = z.infer<typeof planSchema>;
