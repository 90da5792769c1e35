import { budgetSchema, deviceIdSchema, instantSchema } from '@espalier/protocol';
import { rolloutSpecSchema } from '@espalier/rollout';
import { z } from 'zod';

export {
  assignmentSchema,
  planPreviewSchema,
  planSchema,
  type Assignment,
  type PlanOption,
  type PlanPreview,
  type PlanView,
} from '@espalier/protocol';

const selectorSchema = z.string().max(1024);

export const planRequestSchema = z.strictObject({
  modelId: z.string(),
  /** Which devices to plan for, `key=value,key2=value2`; empty: all that have a profile. */
  selector: selectorSchema.default(''),
});
export type PlanRequest = z.infer<typeof planRequestSchema>;

export const groupBudgetRequestSchema = z.strictObject({
  /** Labels that a device must carry; empty: the default of the whole fleet. */
  selector: selectorSchema,
  /** An empty budget takes the entry away. */
  budget: budgetSchema.strict(),
});
export type GroupBudgetRequest = z.infer<typeof groupBudgetRequestSchema>;

export const groupBudgetsSchema = z.object({
  budgets: z.array(
    z.object({ selector: z.string(), budget: budgetSchema, updatedAt: instantSchema }),
  ),
});

/** The budget that holds for a device, and what it comes from, the least particular first. */
export const deviceBudgetSchema = z.object({
  effective: budgetSchema,
  groups: z.array(z.object({ selector: z.string(), budget: budgetSchema })),
  own: budgetSchema,
});
export type DeviceBudget = z.infer<typeof deviceBudgetSchema>;

export const policyRequestSchema = z.strictObject({
  releaseId: z.string(),
  selector: selectorSchema.default(''),
  /** Roll out by itself what it finds; else it waits for a person. */
  push: z.boolean().default(false),
  /** The rules of the rollouts that it proposes. */
  rollout: rolloutSpecSchema,
});
export type PolicyRequest = z.infer<typeof policyRequestSchema>;

export const policySchema = z.object({
  id: z.string(),
  releaseId: z.string(),
  selector: z.string(),
  push: z.boolean(),
  rollout: rolloutSpecSchema,
  createdAt: instantSchema,
});
export type PolicyView = z.infer<typeof policySchema>;
export const policiesSchema = z.object({ policies: z.array(policySchema) });

/** Why a device was planned again. */
export const causeSchema = z.object({
  deviceId: deviceIdSchema,
  cause: z.enum(['new', 'budget', 'profile', 'latency', 'alert']),
  from: z.string().nullable(),
  to: z.string().nullable(),
  why: z.string(),
});
export type Cause = z.infer<typeof causeSchema>;

export const proposalSchema = z.object({
  id: z.string(),
  policyId: z.string(),
  planId: z.string(),
  causes: z.array(causeSchema),
  state: z.enum(['open', 'pushed', 'dismissed', 'superseded']),
  /** Why it could not be pushed yet. */
  note: z.string().nullable(),
  rolloutId: z.string().nullable(),
  createdAt: instantSchema,
  decidedAt: instantSchema.nullable(),
});
export type ProposalView = z.infer<typeof proposalSchema>;
export const proposalsSchema = z.object({ proposals: z.array(proposalSchema) });
