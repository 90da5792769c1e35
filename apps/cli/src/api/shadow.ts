import {
  agreementSchema,
  shadowPolicySchema,
  type AgreementView,
  type ShadowPolicyView,
} from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

const pathOf = (modelId: string): string => `/models/${encodeURIComponent(modelId)}/shadow`;

/** What is asked of devices for a model. */
export const shadowPolicy = (api: ApiClient, modelId: string): Promise<ShadowPolicyView> =>
  api.get(pathOf(modelId), shadowPolicySchema);

/** @param request what is left out has the server's default */
export const startShadow = (
  api: ApiClient,
  modelId: string,
  request: Readonly<Record<string, number | string>>,
): Promise<ShadowPolicyView> => api.put(pathOf(modelId), request, shadowPolicySchema);

/** Asks for no more samples of a model. */
export const stopShadow = (api: ApiClient, modelId: string): Promise<unknown> =>
  api.delete(pathOf(modelId), z.unknown());

/** How often devices' models and the dense ones agree. */
export const agreement = (api: ApiClient, query: URLSearchParams): Promise<AgreementView> =>
  api.get(`/telemetry/agreement?${query.toString()}`, agreementSchema);
