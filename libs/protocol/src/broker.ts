import { z } from 'zod';
import { counterSchema, deviceIdSchema } from './primitives.js';

/**
 * Where the server tells our broker which credentials are void; devices may neither read nor write
 * it. The server sends its whole list on every connect, since the broker keeps it in memory.
 */
export const REVOCATIONS_TOPIC = 'espalier/v1/broker/revocations';

/** A device's credentials issued before an instant are void, and its connection is closed. */
export const revocationsSchema = z.object({
  revoked: z.array(z.object({ deviceId: deviceIdSchema, issuedBeforeMs: counterSchema })).max(1000),
});
export type Revocations = z.infer<typeof revocationsSchema>;
