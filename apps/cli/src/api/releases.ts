import {
  planSchema,
  releaseViewSchema,
  type PlanView,
  type ReleaseView,
  type Signed,
} from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

const releaseListSchema = z.object({ releases: z.array(releaseViewSchema) });

export const createPlan = (
  api: ApiClient,
  request: { modelId: string; selector?: string },
): Promise<PlanView> => api.post('/plans', request, planSchema);

export const getPlan = (api: ApiClient, id: string): Promise<PlanView> =>
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
