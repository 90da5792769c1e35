import { instantSchema } from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

export const ALERT_METRICS = [
  'accuracy',
  'agreement',
  'drift',
  'latency',
  'memory',
  'crash-loop',
  'silence',
] as const;

const ruleSchema = z.object({
  id: z.string(),
  name: z.string(),
  metric: z.string(),
  raise: z.number(),
  clear: z.number(),
  forSeconds: z.number(),
  windowSeconds: z.number(),
  selector: z.string(),
  actions: z.object({
    webhook: z.object({ url: z.string() }).nullable(),
    pauseRollouts: z.boolean(),
    planAgain: z.boolean(),
  }),
});
export type AlertRule = z.infer<typeof ruleSchema>;

const alertSchema = z.object({
  id: z.string(),
  ruleId: z.string(),
  name: z.string(),
  metric: z.string(),
  releaseId: z.string().nullable(),
  variantId: z.string().nullable(),
  state: z.enum(['active', 'cleared']),
  value: z.number(),
  restsOn: z.string().nullable(),
  raisedAt: instantSchema,
  clearedAt: instantSchema.nullable(),
  acknowledgedAt: instantSchema.nullable(),
  acknowledgedBy: z.string().nullable(),
});
export type Alert = z.infer<typeof alertSchema>;

const rulesSchema = z.object({ rules: z.array(ruleSchema) });
const alertsSchema = z.object({ alerts: z.array(alertSchema) });

/** What a new rule says. */
export interface AlertRuleRequest {
  readonly name: string;
  readonly metric: string;
  readonly raise: number;
  readonly clear: number;
  readonly forSeconds: number;
  readonly windowSeconds: number;
  readonly minimum: number;
  readonly selector: string;
  readonly model?: string;
  readonly releaseId?: string;
  readonly actions: {
    readonly webhook?: { readonly url: string; readonly secret: string };
    readonly pauseRollouts: boolean;
    readonly planAgain: boolean;
  };
}

export const listRules = (api: ApiClient): Promise<z.infer<typeof rulesSchema>> =>
  api.get('/alert-rules', rulesSchema);

export const createRule = (api: ApiClient, request: AlertRuleRequest): Promise<AlertRule> =>
  api.post('/alert-rules', request, ruleSchema);

export const removeRule = (api: ApiClient, id: string): Promise<unknown> =>
  api.delete(`/alert-rules/${encodeURIComponent(id)}`, z.unknown());

export const listAlerts = (
  api: ApiClient,
  state: string | undefined,
): Promise<z.infer<typeof alertsSchema>> =>
  api.get(`/alerts${state === undefined ? '' : `?state=${state}`}`, alertsSchema);

export const acknowledgeAlert = (api: ApiClient, id: string): Promise<Alert> =>
  api.post(`/alerts/${encodeURIComponent(id)}/acknowledge`, {}, alertSchema);
