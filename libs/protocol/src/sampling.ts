import { z } from 'zod';
import { LIMITS } from './limits.js';

const MEBIBYTE = 1024 * 1024;

/** How many of its inputs one device sends as shadow samples. */
export const samplingShape = {
  /** Share of the inputs, from 0 to 1. */
  share: z.number().min(0.000_001).max(1),
  /** Most samples in an hour: one in each such part of it. */
  perHour: z.number().int().min(1).max(3600),
  /** Largest packed input. */
  bytesPerSample: z.number().int().min(64).max(LIMITS.shadowPackedBytes),
  /** Most bytes in any 24 hours; at least two samples. */
  bytesPerDay: z
    .number()
    .int()
    .min(128)
    .max(1024 * MEBIBYTE),
};

export const samplingSchema = z
  .object(samplingShape)
  .refine(({ bytesPerSample, bytesPerDay }) => bytesPerDay >= 2 * bytesPerSample, {
    path: ['bytesPerDay'],
    message: 'must be at least twice bytesPerSample',
  });
export type Sampling = z.infer<typeof samplingSchema>;

/** At most `LIMITS.shadowOutputValues` of an output's values, evenly spaced: both ends pick the same. */
export function spacedValues(values: Float32Array): Float32Array {
  const most = LIMITS.shadowOutputValues;
  if (values.length <= most) return values;
  return Float32Array.from(
    { length: most },
    (_, at) => values[Math.floor((at * values.length) / most)] ?? 0,
  );
}
