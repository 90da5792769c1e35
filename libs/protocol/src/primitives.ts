import { z } from 'zod';

/** Lower-case hex SHA-256. */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'must be a lower-case hex SHA-256');

/** Identifier of a device; also its MQTT client id and, later, its certificate's common name. */
export const deviceIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{2,62}$/, 'must be 3 to 63 of a-z, 0-9 and -');

/** Identifier of a release, variant, rollout or message. */
export const idSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/);

/** UTC time as ISO 8601. */
export const instantSchema = z.iso.datetime();

/** Standard base64. */
export const base64Schema = z.base64();

/** A monotonic counter. */
export const counterSchema = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** A length in bytes. */
export const bytesSchema = counterSchema;

/** Device labels, for selectors and budgets. */
export const labelsSchema = z.record(
  z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/),
  z.string().max(128),
);

/** What went wrong, for a program (code) and for a person (message). */
export const failureSchema = z.object({
  code: z.string().regex(/^[A-Z][A-Z0-9_]{2,63}$/),
  message: z.string().max(1024),
});
export type Failure = z.infer<typeof failureSchema>;
