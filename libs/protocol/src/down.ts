import { z } from 'zod';
import { LIMITS } from './limits.js';
import { manifestSchema, signedSchema } from './metadata.js';
import { idSchema } from './primitives.js';
import { samplingSchema } from './sampling.js';

/** Everything that a device needs to decide about a target, each part verified before it is parsed. */
export const targetMessageSchema = z.object({
  root: signedSchema,
  /** The roots before it, oldest first, so that a device that was away can follow one by one. */
  formerRoots: z.array(signedSchema).max(LIMITS.formerRoots).optional(),
  timestamp: signedSchema,
  target: signedSchema,
  release: signedSchema,
  /** Chunks of the chosen variant's artifact; its hash is in the release. */
  manifest: manifestSchema,
});
export type TargetMessage = z.infer<typeof targetMessageSchema>;

/** Application acknowledgement: the named message is committed, and may be forgotten. */
export const ackSchema = z.object({ of: idSchema });
export type Ack = z.infer<typeof ackSchema>;

/** Asks a device to measure itself again. */
export const measureSchema = z.object({ reason: z.string().max(256) });
export type Measure = z.infer<typeof measureSchema>;

/**
 * Which inputs a device may send as shadow samples; null: none any more, and those that wait are
 * forgotten. Nothing is sent unless the device's owner allows it too. It ends with the connection.
 */
export const shadowOrderSchema = z.object({
  /** While another release runs nothing is sent. */
  releaseId: idSchema,
  sampling: samplingSchema.nullable(),
});
export type ShadowOrder = z.infer<typeof shadowOrderSchema>;

/** Body schema of each downward kind that is JSON; `chunk` is a binary frame. */
export const DOWN_SCHEMAS = {
  target: targetMessageSchema,
  ack: ackSchema,
  measure: measureSchema,
  shadow: shadowOrderSchema,
} as const;
