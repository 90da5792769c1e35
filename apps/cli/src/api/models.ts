import { compressionReportSchema } from '@espalier/compression';
import { failureSchema, instantSchema, sha256Schema } from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

export const modelSchema = z.object({
  id: z.string(),
  name: z.string(),
  sha256: sha256Schema,
  bytes: z.number(),
  calibrationSha256: sha256Schema,
  evaluationSha256: sha256Schema.nullable(),
  card: z.unknown(),
  inspection: z.object({ params: z.number(), macs: z.number(), peakRamBytes: z.number() }),
  createdAt: instantSchema,
});
export type Model = z.infer<typeof modelSchema>;

export const jobSchema = z.object({
  id: z.string(),
  modelId: z.string(),
  state: z.enum(['queued', 'running', 'done', 'failed', 'cancelled']),
  stage: z.string(),
  progress: z.number(),
  error: failureSchema.optional(),
});
export type Job = z.infer<typeof jobSchema>;

export const candidateSchema = z.object({
  id: z.string(),
  modelId: z.string(),
  report: compressionReportSchema,
  model: z.object({ sha256: sha256Schema, bytes: z.number() }),
  artifact: z.object({ sha256: sha256Schema, bytes: z.number(), encoding: z.string() }),
  createdAt: instantSchema,
});
export type Candidate = z.infer<typeof candidateSchema>;

const modelListSchema = z.object({ models: z.array(modelSchema) });
const candidateListSchema = z.object({ candidates: z.array(candidateSchema) });

/** What a model is pushed with; `card` is its JSON text. */
export interface ModelUpload {
  readonly name: string;
  readonly model: Uint8Array;
  readonly calibration: Uint8Array;
  readonly evaluation?: Uint8Array | undefined;
  readonly card?: string | undefined;
}

export function pushModel(api: ApiClient, upload: ModelUpload): Promise<Model> {
  const form = new FormData();
  const file = (content: Uint8Array): Blob => new Blob([new Uint8Array(content)]);
  form.set('name', upload.name);
  if (upload.card !== undefined) form.set('card', upload.card);
  form.set('model', file(upload.model), 'model.onnx');
  form.set('calibration', file(upload.calibration), 'calibration.npz');
  if (upload.evaluation) form.set('evaluation', file(upload.evaluation), 'evaluation.npz');
  return api.post('/models', form, modelSchema);
}

export const listModels = (api: ApiClient): Promise<{ models: Model[] }> =>
  api.get('/models', modelListSchema);

export const getModel = (api: ApiClient, id: string): Promise<Model> =>
  api.get(pathOf(id), modelSchema);

export const removeModel = (api: ApiClient, id: string): Promise<unknown> =>
  api.delete(pathOf(id), z.unknown());

export const makeCandidates = (
  api: ApiClient,
  modelId: string,
  request: { points?: number; precisions?: ('fp32' | 'int8')[]; seed?: number },
): Promise<Job> => api.post(`${pathOf(modelId)}/candidates`, request, jobSchema);

export async function listCandidates(api: ApiClient, modelId: string): Promise<Candidate[]> {
  return (await api.get(`${pathOf(modelId)}/candidates`, candidateListSchema)).candidates;
}

export const getJob = (api: ApiClient, id: string): Promise<Job> =>
  api.get(`/jobs/${encodeURIComponent(id)}`, jobSchema);

export const cancelJob = (api: ApiClient, id: string): Promise<Job> =>
  api.delete(`/jobs/${encodeURIComponent(id)}`, jobSchema);

const pathOf = (id: string): string => `/models/${encodeURIComponent(id)}`;
