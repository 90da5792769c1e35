import { z } from 'zod';
import { LIMITS } from './limits.js';
import { signedSchema } from './metadata.js';
import { profileSchema } from './profile.js';
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
  restarts: counterSchema,
  emulatedSlowdown: z.number().min(1).nullable(),
  /** Length by a clock that is never set; `from` and `to` are the device's own time of day. */
  durationMs: counterSchema.optional(),
  /** Inputs, outputs, confidence and latency of the window, as `encodeSketch` of libs/evidence has them. */
  sketch: base64Schema.max(LIMITS.sketchCharacters).optional(),
});
export type Telemetry = z.infer<typeof telemetrySchema>;

/** Body schema of each upward kind. */
export const UP_SCHEMAS = {
  hello: helloSchema,
  profile: z.object({ profile: profileSchema }),
  report: reportSchema,
  telemetry: telemetrySchema,
  need: needSchema,
} as const;
