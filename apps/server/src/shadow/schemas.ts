import { instantSchema, samplingSchema, samplingShape } from '@espalier/protocol';
import { z } from 'zod';

/** Small inputs in seconds, photographs in some minutes: one a minute at most, sixteen MiB a day. */
const DEFAULTS = {
  share: 0.01,
  perHour: 60,
  bytesPerSample: 184 * 1024,
  bytesPerDay: 16 * 2 ** 20,
};

export const shadowRequestSchema = z
  .strictObject({
    /** Labels of the devices; by default all that run the model. */
    selector: z.string().max(1024).default(''),
    share: samplingShape.share.default(DEFAULTS.share),
    perHour: samplingShape.perHour.default(DEFAULTS.perHour),
    bytesPerSample: samplingShape.bytesPerSample.default(DEFAULTS.bytesPerSample),
    bytesPerDay: samplingShape.bytesPerDay.default(DEFAULTS.bytesPerDay),
  })
  .refine((request) => samplingSchema.safeParse(request).success, {
    path: ['bytesPerDay'],
    message: 'must be at least twice bytesPerSample',
  });
export type ShadowRequest = z.infer<typeof shadowRequestSchema>;

export const agreementQuerySchema = z.object({
  /** By default the day before `to`, which is by default now; whole UTC hours. */
  from: instantSchema.optional(),
  to: instantSchema.optional(),
  modelId: z.string().max(128).optional(),
  releaseId: z.string().max(128).optional(),
  variantId: z.string().max(128).optional(),
  deviceId: z.string().max(128).optional(),
  /** A series for each; at most 200, those with the most samples. */
  by: z.enum(['all', 'model', 'release', 'variant', 'device']).default('variant'),
});
export type AgreementQuery = z.infer<typeof agreementQuerySchema>;

export const shadowSampleQuerySchema = z.object({
  modelId: z.string().max(128).optional(),
  variantId: z.string().max(128).optional(),
  deviceId: z.string().max(128).optional(),
  state: z.enum(['waiting', 'judged', 'failed']).optional(),
  /** Only those where both models chose the same class, or only where not. */
  agreed: z.enum(['0', '1']).optional(),
  /** Goes on before this `id`. */
  cursor: z.coerce.number().int().min(1).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
export type ShadowSampleQuery = z.infer<typeof shadowSampleQuerySchema>;

const classSchema = z.object({ predicted: z.number().int(), confidence: z.number() });
export const shadowSamplePageSchema = z.object({
  /** The newest first; never the inputs. */
  samples: z.array(
    z.object({
      id: z.number().int(),
      deviceId: z.string(),
      modelId: z.string(),
      releaseId: z.string(),
      variantId: z.string(),
      takenAt: instantSchema,
      bytes: z.number().int(),
      state: z.enum(['waiting', 'judged', 'failed']),
      /** SHA-256 of the values as they were fed: float32, little endian. */
      inputSha256: z.string().nullable(),
      /** What the device's model said; null: it has no classes. */
      device: classSchema.nullable(),
      /** What the dense model said. */
      dense: classSchema.nullable(),
      agreed: z.boolean().nullable(),
      distance: z.number().nullable(),
      failure: z.string().nullable(),
    }),
  ),
  next: z.number().int().nullable(),
});
export type ShadowSamplePage = z.infer<typeof shadowSamplePageSchema>;
