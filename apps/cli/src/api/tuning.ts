import {
  budgetSchema,
  instantSchema,
  planPreviewSchema,
  type Budget,
  type PlanPreview,
} from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

export const previewPlan = (
  api: ApiClient,
  request: { modelId: string; selector?: string },
): Promise<PlanPreview> => api.post('/plans/preview', request, planPreviewSchema);

const groupBudgetsSchema = z.object({
  budgets: z.array(z.object({ selector: z.string(), budget: budgetSchema })),
});
export type GroupBudgets = z.infer<typeof groupBudgetsSchema>;

export const groupBudgets = (api: ApiClient): Promise<GroupBudgets> =>
  api.get('/budgets', groupBudgetsSchema);

export const putGroupBudget = (
  api: ApiClient,
  request: { selector: string; budget: Budget },
): Promise<GroupBudgets> => api.put('/budgets', request, groupBudgetsSchema);

const policySchema = z.object({
  id: z.string(),
  releaseId: z.string(),
  selector: z.string(),
  push: z.boolean(),
  createdAt: instantSchema,
});
export type Policy = z.infer<typeof policySchema>;
const policiesSchema = z.object({ policies: z.array(policySchema) });

/** A release to be kept fitting; `rollout` holds the rules of its rollouts. */
export interface PolicyRequest {
  readonly releaseId: string;
  readonly selector: string;
  readonly push: boolean;
  readonly rollout: object;
}

export const createPolicy = (api: ApiClient, request: PolicyRequest): Promise<Policy> =>
  api.post('/policies', request, policySchema);

export const listPolicies = (api: ApiClient): Promise<z.infer<typeof policiesSchema>> =>
  api.get('/policies', policiesSchema);

export const removePolicy = (api: ApiClient, id: string): Promise<unknown> =>
  api.delete(`/policies/${encodeURIComponent(id)}`, z.unknown());

const proposalSchema = z.object({
  id: z.string(),
  policyId: z.string(),
  planId: z.string(),
  causes: z.array(
    z.object({
      deviceId: z.string(),
      cause: z.string(),
      from: z.string().nullable(),
      to: z.string().nullable(),
      why: z.string(),
    }),
  ),
  state: z.string(),
  note: z.string().nullable(),
  rolloutId: z.string().nullable(),
  createdAt: instantSchema,
});
export type Proposal = z.infer<typeof proposalSchema>;
const proposalsSchema = z.object({ proposals: z.array(proposalSchema) });

export const listProposals = (api: ApiClient): Promise<z.infer<typeof proposalsSchema>> =>
  api.get('/proposals', proposalsSchema);

export const decideProposal = (
  api: ApiClient,
  id: string,
  decision: 'push' | 'dismiss',
): Promise<Proposal> =>
  api.post(`/proposals/${encodeURIComponent(id)}/${decision}`, {}, proposalSchema);
