import { z } from 'zod';
import { instantSchema } from './primitives.js';

/** What the watches for drift found: the answer of `/api/v1/telemetry/drift`. */
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
          family: z
            .enum(['classes', 'confidence', 'brightness', 'contrast', 'channels'])
            .nullable(),
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
