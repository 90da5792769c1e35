import { FAMILIES } from '@espalier/evidence';
import { instantSchema, telemetrySchema } from '@espalier/protocol';
import { z } from 'zod';
import { RESOLUTIONS } from './resolutions.js';
import { figuresSchema } from './roll-up.js';

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

export const driftQuerySchema = seriesQuerySchema
  .pick({ model: true, releaseId: true, variantId: true, deviceClass: true, selector: true })
  .extend({ deviceId: z.string().max(128).optional() });
export type DriftQuery = z.infer<typeof driftQuerySchema>;

const familySchema = z.enum(FAMILIES).nullable();

export const driftSchema = z.object({
  /** Devices of the family that the errors are shared among: those asked for, heard in the last hour. */
  devices: z.number(),
  variants: z.array(
    z.object({
      releaseId: z.string(),
      variantId: z.string(),
      devices: z.number(),
      /** Days in which the family would show so much evidence once by chance. */
      days: z.number(),
      /** What that is of. */
      restsOn: z.string(),
      /** What it is held against; null: its report has no reference. */
      reference: z
        .object({ source: z.enum(['calibration', 'evaluation']), samples: z.number() })
        .nullable(),
      /** All devices together, evidence in days of the fleet; null where some were chosen. */
      fleet: z
        .object({
          evidenceDays: z.number(),
          family: familySchema,
          share: z.number().nullable(),
          devices: z.number(),
        })
        .nullable(),
      /** The devices with the most evidence, in days of the device. */
      mostDrifted: z.array(
        z.object({
          deviceId: z.string(),
          evidenceDays: z.number(),
          family: z.string().nullable(),
          at: instantSchema,
        }),
      ),
      /**
       * Largest population stability index of the variant's last hour: to look at, nothing acts on it.
       * Null of one device.
       */
      stabilityIndex: z.number().nullable(),
    }),
  ),
});
export type DriftView = z.infer<typeof driftSchema>;
