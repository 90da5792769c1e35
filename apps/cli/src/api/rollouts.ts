import { failureSchema, instantSchema } from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

const summarySchema = z.object({
  id: z.string(),
  releaseId: z.string(),
  planId: z.string(),
  status: z.string(),
  createdAt: instantSchema,
  updatedAt: instantSchema,
});
export type RolloutSummary = z.infer<typeof summarySchema>;

export const rolloutSchema = summarySchema.extend({
  stage: z.number(),
  stages: z.array(
    z.object({
      percent: z.number(),
      devices: z.number(),
      counts: z.record(z.string(), z.number()),
    }),
  ),
  haltedVariants: z.array(z.string()),
  devices: z.array(
    z.object({
      deviceId: z.string(),
      variantId: z.string(),
      stage: z.number(),
      status: z.string(),
      attempt: z.number(),
      failure: failureSchema.nullable(),
      since: instantSchema,
      sentBytes: z.number(),
    }),
  ),
  bytesSent: z.number(),
});
export type Rollout = z.infer<typeof rolloutSchema>;

const listSchema = z.object({ rollouts: z.array(summarySchema) });
const decisionsSchema = z.object({ decisions: z.array(z.record(z.string(), z.unknown())) });
export type Decision = z.infer<typeof decisionsSchema>['decisions'][number];

/** What a rollout may do and when it must stop; percents are cumulative. */
export interface RolloutRequest {
  readonly releaseId: string;
  readonly planId: string;
  readonly stages: readonly { readonly percent: number }[];
  readonly gate: { readonly maxFailedShare: number; readonly minSample: number };
  readonly soakSeconds: number;
  readonly deviceDeadlineSeconds: number;
}

export type Order = 'start' | 'pause' | 'resume' | 'abort';

export const createRollout = (api: ApiClient, request: RolloutRequest): Promise<Rollout> =>
  api.post('/rollouts', request, rolloutSchema);

export const getRollout = (api: ApiClient, id: string): Promise<Rollout> =>
  api.get(pathOf(id), rolloutSchema);

export const listRollouts = (api: ApiClient): Promise<{ rollouts: RolloutSummary[] }> =>
  api.get('/rollouts', listSchema);

/** Gives an order; `promote` and `mode` are for `resume` and `abort`. */
export const orderRollout = (
  api: ApiClient,
  id: string,
  order: Order,
  body: { by?: string; why?: string; promote?: boolean; mode?: 'keep' | 'revert' },
): Promise<Rollout> => api.post(`${pathOf(id)}/${order}`, body, rolloutSchema);

export const decisionsOf = (api: ApiClient, id: string): Promise<{ decisions: Decision[] }> =>
  api.get(`${pathOf(id)}/decisions`, decisionsSchema);

/** Whether nothing more happens in a rollout unless a person orders it. */
export const hasEnded = ({ status }: Pick<RolloutSummary, 'status'>): boolean =>
  ['completed', 'halted', 'aborted', 'held'].includes(status);

const pathOf = (id: string): string => `/rollouts/${encodeURIComponent(id)}`;
