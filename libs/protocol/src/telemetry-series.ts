import { z } from 'zod';
import { instantSchema } from './primitives.js';

/** What telemetry is rolled up by; each has a retention of its own. */
export const RESOLUTIONS = ['minute', 'hour', 'day'] as const;
export type Resolution = (typeof RESOLUTIONS)[number];

/** Accuracy without labels, as it is shown. */
export const accuracyEstimateSchema = z.object({
  /** An estimate: share of items more confident than the threshold of the reference. */
  value: z.number(),
  items: z.number(),
  source: z.literal('confidence'),
  /** The data that the thresholds are from, which are of the variants' compression reports. */
  references: z.array(z.enum(['calibration', 'evaluation'])),
});
export type AccuracyEstimateView = z.infer<typeof accuracyEstimateSchema>;

/** What the windows of some devices add up to; null where there was nothing to measure. */
export const figuresSchema = z.object({
  windows: z.number(),
  inferences: z.number(),
  errors: z.number(),
  restarts: z.number(),
  accuracy: z.object({ labelled: z.number(), correct: z.number(), value: z.number() }).nullable(),
  accuracyEstimate: accuracyEstimateSchema.nullable(),
  /** Quantiles within 2 %, from sketches; null where the windows had none. */
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
export type Figures = z.infer<typeof figuresSchema>;

/**
 * Figures over time: the answer of `/api/v1/telemetry/series` and of
 * `/api/v1/devices/{id}/telemetry/series`.
 */
export const seriesSchema = z.object({
  resolution: z.enum(RESOLUTIONS),
  from: instantSchema,
  to: instantSchema,
  series: z.array(
    z.object({
      key: z.string(),
      total: figuresSchema,
      /** Times without telemetry have no point. */
      points: z.array(figuresSchema.extend({ start: instantSchema })),
    }),
  ),
});
export type SeriesView = z.infer<typeof seriesSchema>;
