import { instantSchema } from '@espalier/protocol';
import { z } from 'zod';
import type { ApiClient } from './client.js';

const figuresSchema = z.object({
  windows: z.number(),
  inferences: z.number(),
  errors: z.number(),
  restarts: z.number(),
  accuracy: z.object({ labelled: z.number(), correct: z.number(), value: z.number() }).nullable(),
  accuracyEstimate: z
    .object({
      value: z.number(),
      items: z.number(),
      source: z.string(),
      references: z.array(z.string()),
    })
    .nullable(),
  latencyMs: z
    .object({
      mean: z.number(),
      p50: z.number().nullable(),
      p95: z.number().nullable(),
      max: z.number(),
    })
    .nullable(),
  memory: z.object({ rssMaxBytes: z.number(), modelMaxBytes: z.number() }),
});
const seriesSchema = z.object({
  resolution: z.string(),
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
export type TelemetrySeries = z.infer<typeof seriesSchema>;

const driftSchema = z.object({
  devices: z.number(),
  variants: z.array(
    z.object({
      releaseId: z.string(),
      variantId: z.string(),
      devices: z.number(),
      days: z.number(),
      restsOn: z.string(),
      reference: z.object({ source: z.string(), samples: z.number() }).nullable(),
      fleet: z
        .object({
          evidenceDays: z.number(),
          family: z.string().nullable(),
          share: z.number().nullable(),
          devices: z.number(),
        })
        .nullable(),
      mostDrifted: z.array(
        z.object({
          deviceId: z.string(),
          evidenceDays: z.number(),
          family: z.string().nullable(),
          at: instantSchema,
        }),
      ),
      stabilityIndex: z.number().nullable(),
    }),
  ),
});
export type Drift = z.infer<typeof driftSchema>;

/** Figures over time, a series for each of what `by` in the query says. */
export const telemetrySeries = (api: ApiClient, query: URLSearchParams): Promise<TelemetrySeries> =>
  api.get(`/telemetry/series?${query.toString()}`, seriesSchema);

/** Figures of one device over time, a series for each variant that it ran. */
export const deviceSeries = (
  api: ApiClient,
  deviceId: string,
  query: URLSearchParams,
): Promise<TelemetrySeries> =>
  api.get(
    `/devices/${encodeURIComponent(deviceId)}/telemetry/series?${query.toString()}`,
    seriesSchema,
  );

/** What the watches for drift found. */
export const driftOf = (api: ApiClient, query: URLSearchParams): Promise<Drift> =>
  api.get(`/telemetry/drift?${query.toString()}`, driftSchema);
