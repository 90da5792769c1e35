import { idSchema, instantSchema, samplingSchema, samplingShape } from '@espalier/protocol';
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

export const shadowPolicySchema = z.object({
  modelId: idSchema,
  /** Null: no device is asked for samples of this model. */
  policy: z
    .object({
      selector: z.string(),
      sampling: z.object(samplingShape),
      setAt: instantSchema,
    })
    .nullable(),
  /** Samples that wait to be judged. */
  waiting: z.number().int(),
});
export type ShadowPolicyView = z.infer<typeof shadowPolicySchema>;

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

const interval = z.tuple([z.number(), z.number()]);
export const agreementFiguresSchema = z.object({
  devices: z.number().int(),
  /** Samples that the dense model judged, in all. */
  judged: z.number().int(),
  /** How many had the same top class, their share, and its 95 % interval; null: no classes. */
  agreement: z
    .object({
      classified: z.number().int(),
      agreed: z.number().int(),
      value: z.number(),
      interval,
    })
    .nullable(),
  /** Squared distance of the outputs over the dense output's square: its mean; null: classes. */
  distance: z.object({ compared: z.number().int(), mean: z.number(), interval }).nullable(),
  /** Samples that could not be judged, and those that the server did not take. */
  failed: z.number().int(),
  refused: z.number().int(),
  /** Samples that devices drew and did not send. */
  tooLarge: z.number().int(),
  overBudget: z.number().int(),
  dropped: z.number().int(),
});
export type AgreementFigures = z.infer<typeof agreementFiguresSchema>;

export const agreementSchema = z.object({
  from: instantSchema,
  to: instantSchema,
  series: z.array(
    z.object({
      key: z.string(),
      total: agreementFiguresSchema,
      /** Hours without samples have no point. */
      points: z.array(agreementFiguresSchema.extend({ start: instantSchema })),
    }),
  ),
});
export type AgreementView = z.infer<typeof agreementSchema>;

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
