import { instantSchema } from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

const policySchema = z.object({
  modelId: z.string(),
  policy: z
    .object({
      selector: z.string(),
      sampling: z.object({
        share: z.number(),
        perHour: z.number(),
        bytesPerSample: z.number(),
        bytesPerDay: z.number(),
      }),
      setAt: instantSchema,
    })
    .nullable(),
  waiting: z.number(),
});
export type ShadowPolicy = z.infer<typeof policySchema>;

const interval = z.tuple([z.number(), z.number()]);
const figuresSchema = z.object({
  devices: z.number(),
  judged: z.number(),
  agreement: z
    .object({ classified: z.number(), agreed: z.number(), value: z.number(), interval })
    .nullable(),
  distance: z.object({ compared: z.number(), mean: z.number(), interval }).nullable(),
  failed: z.number(),
  refused: z.number(),
  tooLarge: z.number(),
  overBudget: z.number(),
  dropped: z.number(),
});
const agreementSchema = z.object({
  from: instantSchema,
  to: instantSchema,
  series: z.array(
    z.object({
      key: z.string(),
      total: figuresSchema,
      points: z.array(figuresSchema.extend({ start: instantSchema })),
    }),
  ),
});
export type Agreement = z.infer<typeof agreementSchema>;

const pathOf = (modelId: string): string => `/models/${encodeURIComponent(modelId)}/shadow`;

export const shadowPolicy = (api: ApiClient, modelId: string): Promise<ShadowPolicy> =>
  api.get(pathOf(modelId), policySchema);

/** @param request what is left out has the server's default */
export const startShadow = (
  api: ApiClient,
  modelId: string,
  request: Readonly<Record<string, number | string>>,
): Promise<ShadowPolicy> => api.put(pathOf(modelId), request, policySchema);

export const stopShadow = (api: ApiClient, modelId: string): Promise<unknown> =>
  api.delete(pathOf(modelId), z.unknown());

export const agreement = (api: ApiClient, query: URLSearchParams): Promise<Agreement> =>
  api.get(`/telemetry/agreement?${query.toString()}`, agreementSchema);
