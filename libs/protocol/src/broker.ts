import { z } from 'zod';
import { deviceIdSchema } from './primitives.js';

/**
 * Common name of the server's certificate, and so its client id and user name at the broker. The
 * dot keeps it apart from every device id.
 */
export const SERVER_NAME = 'espalier.server';

/** Whether a certificate's common name is a server's: this one, or another that may do the same. */
export const isServerName = (commonName: string): boolean => /^espalier\.[a-z]+$/.test(commonName);

/**
 * Where the server tells our broker whose certificates are void; devices may neither read nor write
 * it. The server sends its whole list on every connect, since the broker keeps it in memory.
 */
export const REVOCATIONS_TOPIC = 'espalier/v1/broker/revocations';

/** Devices whose certificates are void from now on, and whose connections are closed. */
export const revocationsSchema = z.object({
  revoked: z.array(deviceIdSchema).max(1000),
});
