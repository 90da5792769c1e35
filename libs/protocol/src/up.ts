import { z } from 'zod';
import { LIMITS } from './limits.js';
import { signedSchema } from './metadata.js';
import { profileSchema } from './profile.js';
import { TENSOR_ENCODINGS } from './tensor-packing.js';
import {
  base64Schema,
  bytesSchema,
  counterSchema,
  deviceIdSchema,
  failureSchema,
  idSchema,
  instantSchema,
  sha256Schema,
} from './primitives.js';

/** Where a device stands with a target. Terminal: active, failed, refused. */
export const INSTALL_STATES = [
  'accepted',
  'downloading',
  'installing',
  'probing',
  'active',
  'failed',
  'refused',
] as const;
export type InstallState = (typeof INSTALL_STATES)[number];

/** What runs on a device: the hash is of the bytes that the inference session was created from. */
export const runningSchema = z.object({
  releaseId: idSchema,
  variantId: idSchema,
  modelSha256: sha256Schema,
});

/** Sent on every connect, so that the server can give the current target. */
export const helloSchema = z.object({
  agentVersion: z.string().max(32),
  bootId: idSchema,
  /** Highest generation ever accepted; 0: none. */
  generation: counterSchema,
  running: runningSchema.nullable(),
  profileSha256: sha256Schema.nullable(),
});
export type Hello = z.infer<typeof helloSchema>;

export type Running = z.infer<typeof runningSchema>;

/** A report's payload; signed by the device's own key inside {@link reportSchema}. */
export const reportPayloadSchema = z.object({
  type: z.literal('report'),
  deviceId: deviceIdSchema,
  generation: counterSchema,
  releaseId: idSchema,
  variantId: idSchema,
  state: z.enum(INSTALL_STATES),
  /** SHA-256 of the bytes handed to the inference session, computed where the session lives. */
  loadedSha256: sha256Schema.nullable(),
  /** The probe inference, once done: its time, and whether its outputs were finite. */
  probe: z.object({ latencyMs: z.number().nonnegative(), finite: z.boolean() }).nullable(),
  /** What runs now: after a failure, the previous variant. */
  running: runningSchema.nullable(),
  failure: failureSchema.nullable(),
  /** Payload bytes of chunks received for this target so far, repeats counted. */
  receivedBytes: bytesSchema,
  at: instantSchema,
});
export type ReportPayload = z.infer<typeof reportPayloadSchema>;

export const reportSchema = z.object({ report: signedSchema });
export type Report = z.infer<typeof reportSchema>;

/** Base64 of a bit for each chunk of the largest artifact, and one byte. */
const LONGEST_BITMAP = Math.ceil((LIMITS.chunksPerArtifact / 8 + 1) / 3) * 4;

/** What a device still lacks of an artifact. Sent at start, after a stall, and to repair. */
export const needSchema = z.object({
  generation: counterSchema.min(1),
  artifactSha256: sha256Schema,
  chunkCount: z.number().int().min(1).max(LIMITS.chunksPerArtifact),
  receivedChunks: counterSchema,
  /** Which chunks are held, as the bitmap of libs/delivery stores it. */
  held: base64Schema.max(LONGEST_BITMAP),
  /** The chunks asked for now: at most one window. */
  indices: z.array(counterSchema).min(1).max(LIMITS.chunksPerNeed),
});
export type Need = z.infer<typeof needSchema>;

/** Shadow samples that a device drew and did not send, by why. */
export const shadowLossesSchema = z.object({
  /** Larger than may be sent. */
  tooLarge: counterSchema,
  /** Over the bytes of a day. */
  overBudget: counterSchema,
  /** Given up for newer ones while the server could not be reached. */
  dropped: counterSchema,
});
export type ShadowLosses = z.infer<typeof shadowLossesSchema>;

/** One window of what a device measured while it served. */
export const telemetrySchema = z.object({
  generation: counterSchema,
  running: runningSchema,
  from: instantSchema,
  to: instantSchema,
  inferences: counterSchema,
  errors: counterSchema,
  latencyMs: z
    .object({ p50: z.number(), p95: z.number(), max: z.number(), mean: z.number() })
    .nullable(),
  /** Resident set of the worker that holds the session, and its growth over the empty runtime. */
  memory: z.object({ rssBytes: bytesSchema, modelBytes: bytesSchema }),
  /** Only where labels came with the input. */
  accuracy: z.object({ labelled: counterSchema, correct: counterSchema }).nullable(),
  /** How often the agent was started again since the device was enrolled. */
  restarts: counterSchema,
  emulatedSlowdown: z.number().min(1).nullable(),
  /** Length by a clock that is never set; `from` and `to` are the device's own time of day. */
  durationMs: counterSchema.optional(),
  /** Inputs, outputs, confidence and latency of the window, as `encodeSketch` of libs/evidence has them. */
  sketch: base64Schema.max(LIMITS.sketchCharacters).optional(),
  /** Shadow samples that were drawn in the window and will not come, by why. */
  shadowLosses: shadowLossesSchema.optional(),
});
export type Telemetry = z.infer<typeof telemetrySchema>;

const charactersOf = (byteLength: number): number => Math.ceil(byteLength / 3) * 4;

/** One input that a device fed its model, with what the model said of it, for the dense model to judge. */
export const shadowSampleSchema = z.object({
  running: runningSchema,
  /** By the device's own time of day. */
  takenAt: instantSchema,
  input: z.object({
    dtype: z.literal('float32'),
    /** As the model was fed, without the batch. */
    dims: z.array(z.number().int().min(1).max(LIMITS.shadowInputValues)).max(7),
    encoding: z.enum(TENSOR_ENCODINGS),
    data: base64Schema.min(4).max(charactersOf(LIMITS.shadowPackedBytes)),
  }),
  output: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('class'),
      predicted: z.number().int().nonnegative(),
      /** Log odds of the predicted class. */
      confidence: z.number(),
    }),
    z.object({
      kind: z.literal('values'),
      /** Number of values of the output. */
      length: z.number().int().min(1),
      /** Float32, little endian, as `spacedValues` picks them. */
      data: base64Schema.min(4).max(charactersOf(4 * LIMITS.shadowOutputValues)),
    }),
  ]),
});
export type ShadowSample = z.infer<typeof shadowSampleSchema>;

/** Body schema of each upward kind. */
export const UP_SCHEMAS = {
  hello: helloSchema,
  profile: z.object({ profile: profileSchema }),
  report: reportSchema,
  telemetry: telemetrySchema,
  need: needSchema,
  shadow: shadowSampleSchema,
} as const;
