import { z } from 'zod';
import { idSchema, instantSchema } from './primitives.js';
import { samplingShape } from './sampling.js';

/** What devices are asked for of a model: the answer of `/api/v1/models/{id}/shadow`. */
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

/** Lower and upper bound. */
const interval = z.tuple([z.number(), z.number()]);

/** What the dense model said of the samples of some devices. */
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

/** Agreement by hours: the answer of `/api/v1/telemetry/agreement`. */
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
