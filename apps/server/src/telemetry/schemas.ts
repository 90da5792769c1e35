import { instantSchema, RESOLUTIONS, telemetrySchema } from '@espalier/protocol';
import { z } from 'zod';

export const telemetryQuerySchema = z.object({
  since: instantSchema.optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
export type TelemetryQuery = z.infer<typeof telemetryQuerySchema>;

export const telemetryPageSchema = z.object({ windows: z.array(telemetrySchema) });

export const seriesQuerySchema = z.object({
  /** By default the day before `to`, which is by default now. */
  from: instantSchema.optional(),
  to: instantSchema.optional(),
  /** By default the finest that keeps to 400 points. */
  resolution: z.enum(RESOLUTIONS).optional(),
  /** What to filter by; the model by its name, `selector` by labels. */
  model: z.string().max(128).optional(),
  releaseId: z.string().max(128).optional(),
  variantId: z.string().max(128).optional(),
  deviceClass: z.string().max(256).optional(),
  selector: z.string().max(1024).default(''),
  /** A series for each; at most 50. */
  by: z.enum(['all', 'model', 'release', 'variant', 'class', 'labels']).default('all'),
});
export type SeriesQuery = z.infer<typeof seriesQuerySchema>;

export const deviceSeriesQuerySchema = seriesQuerySchema.pick({
  from: true,
  to: true,
  resolution: true,
});
export type DeviceSeriesQuery = z.infer<typeof deviceSeriesQuerySchema>;

export const driftQuerySchema = seriesQuerySchema
  .pick({ model: true, releaseId: true, variantId: true, deviceClass: true, selector: true })
  .extend({ deviceId: z.string().max(128).optional() });
export type DriftQuery = z.infer<typeof driftQuerySchema>;
