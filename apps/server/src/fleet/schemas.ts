import {
  budgetSchema,
  deviceIdSchema,
  deviceStateSchema,
  deviceViewSchema,
  instantSchema,
  labelsSchema,
  LIMITS,
  profileSchema,
  sha256Schema,
} from '@espalier/protocol';
import { z } from 'zod';

export {
  deviceStateSchema,
  deviceViewSchema,
  type DeviceState,
  type DeviceView,
} from '@espalier/protocol';

const boundedLabelsSchema = labelsSchema.refine(
  (labels) => Object.keys(labels).length <= LIMITS.labelsPerDevice,
  `at most ${LIMITS.labelsPerDevice} labels`,
);

export const claimTokenRequestSchema = z.strictObject({
  name: z.string().min(1).max(64).optional(),
  labels: boundedLabelsSchema.default({}),
  expiresInSeconds: z
    .number()
    .int()
    .min(1)
    .max(30 * 86_400)
    .default(3600),
});
export type ClaimTokenRequest = z.infer<typeof claimTokenRequestSchema>;

export const claimTokenAnswerSchema = z.object({ token: z.string(), expires: instantSchema });

export const deviceQuerySchema = z.object({
  selector: z.string().max(1024).default(''),
  state: deviceStateSchema.optional(),
  /** Part of the name or id. */
  search: z.string().max(64).default(''),
  quarantined: z.stringbool().optional(),
  /** Start after this device; or, to go anywhere in the list, after so many. */
  cursor: deviceIdSchema.optional(),
  offset: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
export type DeviceQuery = z.infer<typeof deviceQuerySchema>;

export const devicePatchSchema = z.strictObject({
  name: z.string().min(1).max(64).optional(),
  labels: boundedLabelsSchema.optional(),
  budget: budgetSchema.strict().optional(),
});
export type DevicePatch = z.infer<typeof devicePatchSchema>;

export const revokedSchema = z.object({ id: deviceIdSchema, revokedAt: instantSchema });

export const devicePageSchema = z.object({
  devices: z.array(deviceViewSchema),
  /** Devices that match in all. */
  total: z.number().int(),
  next: deviceIdSchema.nullable(),
});

export const fleetSummarySchema = z.object({
  devices: z.number().int(),
  quarantined: z.number().int(),
  /** Devices by state; a state that none has is left out. */
  states: z.array(z.object({ state: deviceStateSchema, devices: z.number().int() })),
  /** The labels that most devices carry, the most frequent first. */
  labels: z.array(z.object({ key: z.string(), value: z.string(), devices: z.number().int() })),
});

export const profilesSchema = z.object({
  profiles: z.array(
    z.object({ sha256: sha256Schema, receivedAt: instantSchema, profile: profileSchema }),
  ),
});
