import { z } from 'zod';
import { LIMITS } from './limits.js';
import {
  base64Schema,
  bytesSchema,
  counterSchema,
  deviceIdSchema,
  idSchema,
  instantSchema,
  sha256Schema,
} from './primitives.js';

/** The four roles, after The Update Framework and Uptane. */
export const ROLES = ['root', 'release', 'target', 'timestamp'] as const;
export type Role = (typeof ROLES)[number];

/** A signed document: the payload's bytes in base64, verified before they are parsed. */
export const signedSchema = z.object({
  payloadType: z.string().max(128),
  payload: base64Schema,
  signatures: z
    .array(z.object({ keyid: sha256Schema, sig: base64Schema }))
    .min(1)
    .max(16),
});
export type Signed = z.infer<typeof signedSchema>;

const roleSchema = z.object({
  keyids: z.array(sha256Schema).min(1).max(16),
  threshold: z.number().int().min(1).max(16),
});

/** Which keys may sign for which role. The claim token pins the first root's key. */
export const rootSchema = z.object({
  type: z.literal('root'),
  version: counterSchema.min(1),
  expires: instantSchema,
  keys: z.record(sha256Schema, z.object({ scheme: z.literal('ed25519'), public: base64Schema })),
  roles: z.object({
    root: roleSchema,
    release: roleSchema,
    target: roleSchema,
    timestamp: roleSchema,
  }),
});
export type Root = z.infer<typeof rootSchema>;

/** How the artifact that is sent becomes the model file: as it is, or entropy-coded. */
export const encodingSchema = z.enum(['identity', 'brotli', 'espalier-sparse']);
export type Encoding = z.infer<typeof encodingSchema>;

/** How a variant's session is opened; signed, because it changes what runs. */
export const sessionOptionsSchema = z.object({
  threads: z.number().int().min(1).max(256),
  optimization: z.enum(['disabled', 'basic', 'extended', 'all']),
});
export type SessionOptions = z.infer<typeof sessionOptionsSchema>;

/** One variant of a release: what is sent, what it becomes, what it needs. */
export const variantSchema = z.object({
  id: idSchema,
  artifact: z.object({
    sha256: sha256Schema,
    length: bytesSchema,
    encoding: encodingSchema,
    /** SHA-256 of the canonical chunk manifest (see `manifestBytes`). */
    manifestSha256: sha256Schema,
  }),
  model: z.object({ sha256: sha256Schema, length: bytesSchema }),
  peakRamBytes: bytesSchema,
  precision: z.enum(['fp32', 'int8']),
  session: sessionOptionsSchema,
  /** The input card, so that the device feeds the model as it was measured; null: as the data is. */
  card: z.unknown(),
});
export type Variant = z.infer<typeof variantSchema>;

/** A closed set of variants, signed once by a key that can stay offline. */
export const releaseSchema = z.object({
  type: z.literal('release'),
  id: idSchema,
  model: z.string().min(1).max(128),
  version: counterSchema.min(1),
  issued: instantSchema,
  expires: instantSchema,
  variants: z.array(variantSchema).min(1).max(LIMITS.variantsPerRelease),
});
export type Release = z.infer<typeof releaseSchema>;

/** What one device shall run, signed by the server's online key. `generation` never falls. */
export const targetSchema = z.object({
  type: z.literal('target'),
  deviceId: deviceIdSchema,
  generation: counterSchema.min(1),
  epoch: counterSchema,
  rolloutId: idSchema.nullable(),
  releaseId: idSchema,
  variantId: idSchema,
  modelSha256: sha256Schema,
  issued: instantSchema,
  expires: instantSchema,
});
export type Target = z.infer<typeof targetSchema>;

/** A short-lived statement of which metadata is current, so that old metadata cannot be served. */
export const timestampSchema = z.object({
  type: z.literal('timestamp'),
  version: counterSchema.min(1),
  issued: instantSchema,
  expires: instantSchema,
  rootVersion: counterSchema.min(1),
});
export type Timestamp = z.infer<typeof timestampSchema>;

/** Chunks of an artifact: every chunk has `chunkSize` bytes but the last. */
export const manifestSchema = z.object({
  sha256: sha256Schema,
  length: bytesSchema.min(1),
  chunkSize: z.number().int().min(1).max(LIMITS.chunkBytes),
  chunks: z.array(sha256Schema).min(1).max(LIMITS.chunksPerArtifact),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** The canonical bytes of a manifest, those that `manifestSha256` is taken over. */
export function manifestBytes(manifest: Manifest): Uint8Array {
  const { sha256, length, chunkSize, chunks } = manifest;
  return new TextEncoder().encode(JSON.stringify({ sha256, length, chunkSize, chunks }));
}
