import { instantSchema, releaseSchema, signedSchema, type Signed } from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

export const planSchema = z.object({
  id: z.string(),
  modelId: z.string(),
  selector: z.string(),
  assignments: z.array(
    z.object({
      deviceId: z.string(),
      candidateId: z.string().nullable(),
      predictedLatencyMs: z.number().nullable(),
      reasons: z.array(z.string()),
      excluded: z.array(z.object({ candidateId: z.string(), why: z.string() })),
      wouldFit: z.object({ candidateId: z.string(), text: z.string() }).optional(),
    }),
  ),
  createdAt: instantSchema,
});
export type Plan = z.infer<typeof planSchema>;
export type Assignment = Plan['assignments'][number];

export const releaseViewSchema = z.object({
  id: z.string(),
  modelId: z.string(),
  planId: z.string(),
  state: z.enum(['unsigned', 'signed']),
  document: releaseSchema,
  signed: signedSchema.nullable(),
  createdAt: instantSchema,
});
export type ReleaseView = z.infer<typeof releaseViewSchema>;

const releaseListSchema = z.object({ releases: z.array(releaseViewSchema) });

export const createPlan = (
  api: ApiClient,
  request: { modelId: string; selector?: string },
): Promise<Plan> => api.post('/plans', request, planSchema);

export const getPlan = (api: ApiClient, id: string): Promise<Plan> =>
  api.get(`/plans/${encodeURIComponent(id)}`, planSchema);

export const createRelease = (
  api: ApiClient,
  request: { modelId: string; planId: string },
): Promise<ReleaseView> => api.post('/releases', request, releaseViewSchema);

export const getRelease = (api: ApiClient, id: string): Promise<ReleaseView> =>
  api.get(pathOf(id), releaseViewSchema);

export const listReleases = (api: ApiClient): Promise<{ releases: ReleaseView[] }> =>
  api.get('/releases', releaseListSchema);

export const addSignature = (api: ApiClient, id: string, signed: Signed): Promise<ReleaseView> =>
  api.post(`${pathOf(id)}/signatures`, { signed }, releaseViewSchema);

const pathOf = (id: string): string => `/releases/${encodeURIComponent(id)}`;
