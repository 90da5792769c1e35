import { z } from 'zod';
import {
  deviceIdSchema,
  failureSchema,
  instantSchema,
  labelsSchema,
  sha256Schema,
} from './primitives.js';
import { budgetSchema } from './profile.js';
import { INSTALL_STATES, runningSchema } from './up.js';

/** enrolled: no profile yet. ready: may be planned for. The rest: its last reported install state. */
export const deviceStateSchema = z.enum(['enrolled', 'ready', ...INSTALL_STATES]);
export type DeviceState = z.infer<typeof deviceStateSchema>;

/** A device as the server knows it: the answer of `/api/v1/devices/{id}`. */
export const deviceViewSchema = z.object({
  id: deviceIdSchema,
  name: z.string(),
  labels: labelsSchema,
  state: deviceStateSchema,
  budget: budgetSchema,
  agentVersion: z.string().nullable(),
  generation: z.number().int(),
  running: runningSchema.nullable(),
  failure: failureSchema.nullable(),
  /** Since when no rollout takes it, because it failed too often. */
  quarantinedAt: instantSchema.nullable(),
  /** Since when it may not join any more. */
  revokedAt: instantSchema.nullable(),
  profileSha256: sha256Schema.nullable(),
  createdAt: instantSchema,
  seenAt: instantSchema.nullable(),
});
export type DeviceView = z.infer<typeof deviceViewSchema>;
