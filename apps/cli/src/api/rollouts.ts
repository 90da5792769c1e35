import {
  failureSchema,
  instantSchema,
  rolloutPreviewSchema,
  rolloutReplaySchema,
  type RolloutPreview,
} from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

const summarySchema = z.object({
  id: z.string(),
  model: z.string(),
  version: z.number(),
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
      name: z.string(),
      percent: z.number().nullable(),
      devices: z.number(),
      counts: z.record(z.string(), z.number()),
    }),
  ),
  haltedVariants: z.array(z.string()),
  evidence: z.record(z.string(), z.record(z.string(), z.unknown())).nullable(),
  gates: z.array(
    z.object({
      rule: z.string(),
      variantId: z.string().nullable(),
      verdict: z.string(),
      numbers: z.record(z.string(), z.unknown()).nullable(),
    }),
  ),
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

/** Which devices a stage takes: one of percent, count (both cumulative) and selector. */
export interface StageRequest {
  readonly percent?: number;
  readonly count?: number;
  readonly selector?: string;
  readonly approval?: boolean;
}

/** What a rollout may do and when it must stop; the server checks it, and knows more fields. */
export interface RolloutRequest {
  readonly releaseId: string;
  readonly planId: string;
  readonly stages: readonly StageRequest[];
  readonly gate: { readonly maxFailedShare: number; readonly minSample: number } & Readonly<
    Record<string, unknown>
  >;
  readonly soakSeconds: number;
  readonly deviceDeadlineSeconds: number;
  readonly [further: string]: unknown;
}

export type Order = 'start' | 'approve' | 'pause' | 'resume' | 'abort';

/** What a rollout would do; nothing is written. */
export const previewRollout = (api: ApiClient, request: RolloutRequest): Promise<RolloutPreview> =>
  api.post('/rollouts/preview', request, rolloutPreviewSchema);

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
  body: { why?: string; promote?: boolean; mode?: 'keep' | 'revert' },
): Promise<Rollout> => api.post(`${pathOf(id)}/${order}`, body, rolloutSchema);

export const decisionsOf = (api: ApiClient, id: string): Promise<{ decisions: Decision[] }> =>
  api.get(`${pathOf(id)}/decisions`, decisionsSchema);

/** Plays the recorded events again and compares the decisions with the log. */
export const replayOf = (
  api: ApiClient,
  id: string,
): Promise<z.infer<typeof rolloutReplaySchema>> =>
  api.get(`${pathOf(id)}/replay`, rolloutReplaySchema);

/** Whether nothing more happens in a rollout unless a person orders it. */
export const hasEnded = ({ status }: Pick<RolloutSummary, 'status'>): boolean =>
  ['completed', 'halted', 'aborted', 'held'].includes(status);

const pathOf = (id: string): string => `/rollouts/${encodeURIComponent(id)}`;
