import { z } from 'zod';
import { signedSchema } from './metadata.js';
import { base64Schema, deviceIdSchema, instantSchema, labelsSchema } from './primitives.js';

/** `POST /api/v1/enrolments`: a device trades its claim token for a certificate of its own. */
export const enrolRequestSchema = z.object({
  token: z.string().min(16).max(512),
  /** Raw Ed25519 public key; its private half never leaves the device. */
  publicKey: base64Schema,
  name: z.string().min(1).max(64),
  labels: labelsSchema.default({}),
  /** Signature over all of the above, which shows that the device holds the private half. */
  proof: base64Schema.max(128),
});
export type EnrolRequest = z.infer<typeof enrolRequestSchema>;

/**
 * What a device needs to join the broker, signed by the server's online key: so the claim token's
 * pin, by way of the root, covers the authority that the broker is checked against.
 */
export const membershipSchema = z.object({
  type: z.literal('membership'),
  deviceId: deviceIdSchema,
  brokerUrl: z.string().max(512),
  /** PEM certificates; the broker's own certificate must come from one of them. */
  authorities: z.string().max(65_536),
  /** PEM certificate for the device's key; its common name is the device id. */
  certificate: z.string().max(16_384),
  issued: instantSchema,
  /** When the certificate ends. */
  expires: instantSchema,
});
export type Membership = z.infer<typeof membershipSchema>;

/** Answer to an enrolment and to a renewal. */
export const enrolResponseSchema = z.object({
  deviceId: deviceIdSchema,
  /** Signed root metadata; its key must be the one that the claim token pins. */
  root: signedSchema,
  membership: signedSchema,
});
export type EnrolResponse = z.infer<typeof enrolResponseSchema>;

/** A device asks for another certificate; signed with the key that it enrolled with. */
export const renewalSchema = z.object({
  type: z.literal('renewal'),
  deviceId: deviceIdSchema,
  at: instantSchema,
});
export type Renewal = z.infer<typeof renewalSchema>;

/** `POST /api/v1/devices/{id}/certificates`. */
export const renewalRequestSchema = z.object({ request: signedSchema });
export type RenewalRequest = z.infer<typeof renewalRequestSchema>;

/** A claim token, taken apart: `esp1.<id>.<secret>.<root key id>`. */
export const claimTokenSchema = z
  .string()
  .regex(/^esp1\.[A-Za-z0-9_-]{4,64}\.[A-Za-z0-9_-]{16,128}\.[0-9a-f]{64}$/)
  .transform((token) => {
    const [, id = '', secret = '', rootKeyId = ''] = token.split('.');
    return { id, secret, rootKeyId };
  });
export type ClaimToken = z.infer<typeof claimTokenSchema>;
