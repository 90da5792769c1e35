import { failureSchema, instantSchema } from '@espalier/protocol';
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
const replaySchema = z.object({
  events: z.number(),
  decisions: z.number(),
  identical: z.boolean(),
});
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

const previewSchema = z.object({
  devices: z.number(),
  controls: z.number(),
  variants: z.array(
    z.object({
      variantId: z.string(),
      precision: z.string(),
      devices: z.number(),
      artifactBytes: z.number(),
      expectedAccuracy: z.number().nullable(),
    }),
  ),
  stages: z.array(
    z.object({
      name: z.string(),
      devices: z.number(),
      bytes: z.number(),
      seconds: z.number(),
    }),
  ),
  bytes: z.number(),
  seconds: z.number(),
  deviceSeconds: z.number().nullable(),
  expectedAccuracy: z.object({ before: z.number(), after: z.number() }).nullable(),
  misfits: z.array(z.object({ deviceId: z.string(), why: z.string() })),
});
export type Preview = z.infer<typeof previewSchema>;

export type Order = 'start' | 'approve' | 'pause' | 'resume' | 'abort';

/** What a rollout would do; nothing is written. */
export const previewRollout = (api: ApiClient, request: RolloutRequest): Promise<Preview> =>
  api.post('/rollouts/preview', request, previewSchema);

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
export const replayOf = (api: ApiClient, id: string): Promise<z.infer<typeof replaySchema>> =>
  api.get(`${pathOf(id)}/replay`, replaySchema);

/** Whether nothing more happens in a rollout unless a person orders it. */
export const hasEnded = ({ status }: Pick<RolloutSummary, 'status'>): boolean =>
  ['completed', 'halted', 'aborted', 'held'].includes(status);

const pathOf = (id: string): string => `/rollouts/${encodeURIComponent(id)}`;
