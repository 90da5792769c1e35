import { driftSchema, seriesSchema, type DriftView, type SeriesView } from '@espalier/protocol';
import type { ApiClient } from './client.js';

/** Figures over time, a series for each of what `by` in the query says. */
export const telemetrySeries = (api: ApiClient, query: URLSearchParams): Promise<SeriesView> =>
  api.get(`/telemetry/series?${query.toString()}`, seriesSchema);

/** Figures of one device over time, a series for each variant that it ran. */
export const deviceSeries = (
  api: ApiClient,
  deviceId: string,
  query: URLSearchParams,
): Promise<SeriesView> =>
  api.get(
    `/devices/${encodeURIComponent(deviceId)}/telemetry/series?${query.toString()}`,
    seriesSchema,
  );

/** What the watches for drift found. */
export const driftOf = (api: ApiClient, query: URLSearchParams): Promise<DriftView> =>
  api.get(`/telemetry/drift?${query.toString()}`, driftSchema);
