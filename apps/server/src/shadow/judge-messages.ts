import { sha256Schema, shadowSampleSchema } from '@espalier/protocol';
import { z } from 'zod';

const outputSchema = shadowSampleSchema.shape.output;
export type DeviceOutput = z.infer<typeof outputSchema>;

/** Samples of one model for the judging process. */
export const judgeTaskSchema = z.object({
  id: z.number().int(),
  modelPath: z.string(),
  modelSha256: sha256Schema,
  card: z.unknown(),
  /** Models that are kept open. */
  mostModels: z.number().int().min(1),
  samples: z.array(
    z.object({
      id: z.number().int(),
      dims: z.array(z.number().int().min(1)),
      encoding: shadowSampleSchema.shape.input.shape.encoding,
      input: z.instanceof(Uint8Array),
      output: outputSchema,
    }),
  ),
});
export type JudgeTask = z.infer<typeof judgeTaskSchema>;
export type WaitingSample = JudgeTask['samples'][number];

export const denseClassSchema = z.object({ predicted: z.number().int(), confidence: z.number() });

/** What the dense model said of a sample, held against what the device's model said. */
export const judgementSchema = z.object({
  id: z.number().int(),
  inputSha256: sha256Schema,
  dense: denseClassSchema.nullable(),
  agreed: z.boolean().nullable(),
  distance: z.number().nonnegative().nullable(),
});
export type Judgement = z.infer<typeof judgementSchema>;

/** Why a sample could not be judged, as a stable code. */
export const JUDGE_FAULTS = [
  'SHADOW_MODEL',
  'SHADOW_SHAPE',
  'SHADOW_INPUT',
  'SHADOW_OUTPUT',
  'SHADOW_JUDGE',
] as const;
export type JudgeFault = (typeof JUDGE_FAULTS)[number];

const faultSchema = z.object({
  id: z.number().int(),
  fault: z.enum(JUDGE_FAULTS),
  why: z.string(),
});
export const judgeAnswerSchema = z.object({
  id: z.number().int(),
  results: z.array(z.union([judgementSchema, faultSchema])),
});
export type JudgeAnswer = z.infer<typeof judgeAnswerSchema>;
export type JudgeResult = JudgeAnswer['results'][number];
