import { z } from 'zod';
import { signedSchema } from './metadata.js';
import { base64Schema, deviceIdSchema, labelsSchema } from './primitives.js';

/** `POST /api/v1/enrolments`: a device trades its claim token for a credential of its own. */
export const enrolRequestSchema = z.object({
  token: z.string().min(16).max(512),
  /** Raw Ed25519 public key; its private half never leaves the device. */
  publicKey: base64Schema,
  name: z.string().min(1).max(64),
  labels: labelsSchema.default({}),
});
export type EnrolRequest = z.infer<typeof enrolRequestSchema>;

/** The answer: who the device is, where the broker is, what to show it, whom to trust. */
export const enrolResponseSchema = z.object({
  deviceId: deviceIdSchema,
  brokerUrl: z.string().max(512),
  /** MQTT password; the user name and client id are the device id. */
  credential: z.string().min(16).max(4096),
  /** Signed root metadata; its key must be the one that the claim token pins. */
  root: signedSchema,
});
export type EnrolResponse = z.infer<typeof enrolResponseSchema>;

/** A claim token, taken apart: `esp1.<id>.<secret>.<root key id>`. */
export const claimTokenSchema = z
  .string()
  .regex(/^esp1\.[A-Za-z0-9_-]{4,64}\.[A-Za-z0-9_-]{16,128}\.[0-9a-f]{64}$/)
  .transform((token) => {
    const [, id = '', secret = '', rootKeyId = ''] = token.split('.');
    return { id, secret, rootKeyId };
  });
export type ClaimToken = z.infer<typeof claimTokenSchema>;
