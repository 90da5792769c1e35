import { readFileSync } from 'node:fs';
import { LIMITS } from '@espalier/protocol';
import { z } from 'zod';

/** A file that is read at once; its path is what is configured. */
const file = z
  .string()
  .min(1)
  .transform((path, context) => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      context.addIssue({ code: 'custom', message: `cannot be read (${(error as Error).message})` });
      return z.NEVER;
    }
  });

/** The environment variables; each says what it is in the comment above it. */
export const environmentSchema = z.object({
  /** Address that it listens on. */
  ESPALIER_BROKER_HOST: z.string().min(1).default('127.0.0.1'),
  /** Port; 0: any free one; the line printed at the start names it. */
  ESPALIER_BROKER_PORT: z.coerce.number().int().min(0).max(65_535).default(8883),
  /** PEM file of the authority that clients' certificates must come from. */
  ESPALIER_BROKER_CA_FILE: file,
  /** PEM file of the broker's own certificate. */
  ESPALIER_BROKER_CERT_FILE: file,
  /** PEM file of its key. */
  ESPALIER_BROKER_KEY_FILE: file,
  /** PEM file of the authority's list of void certificates. */
  ESPALIER_BROKER_REVOKED_FILE: file.optional(),
  /** Most clients at once. */
  ESPALIER_BROKER_MAX_CLIENTS: z.coerce.number().int().min(1).default(20_000),
  /** Longest packet that a client may send. */
  ESPALIER_BROKER_MAX_PACKET_BYTES: z.coerce
    .number()
    .int()
    .min(LIMITS.controlMessageBytes)
    .default(LIMITS.controlMessageBytes + 4096),
  /** How long a client may leave its full socket undrained before it is disconnected. */
  ESPALIER_BROKER_DRAIN_TIMEOUT_MS: z.coerce.number().int().min(100).default(5000),
  /** What is logged to stderr. */
  ESPALIER_BROKER_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info'),
});

/** How a broker listens, whom it lets in, and its bounds. */
export interface Configuration {
  readonly host: string;
  readonly port: number;
  /** PEM texts. */
  readonly tls: {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly crl: string | undefined;
  };
  readonly maxClients: number;
  readonly maxPacketBytes: number;
  readonly drainTimeoutMs: number;
  readonly logLevel: string;
}

/** The environment does not configure a broker; the message names each variable at fault. */
export class ConfigurationError extends Error {
  readonly code = 'BROKER_CONFIGURATION';
}

/**
 * Reads the configuration from environment variables, and the files that they name.
 * @throws ConfigurationError
 */
export function readConfiguration(environment: NodeJS.ProcessEnv): Configuration {
  const parsed = environmentSchema.safeParse(environment);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new ConfigurationError(faults.join('; '));
  }
  const given = parsed.data;
  return {
    host: given.ESPALIER_BROKER_HOST,
    port: given.ESPALIER_BROKER_PORT,
    tls: {
      ca: given.ESPALIER_BROKER_CA_FILE,
      cert: given.ESPALIER_BROKER_CERT_FILE,
      key: given.ESPALIER_BROKER_KEY_FILE,
      crl: given.ESPALIER_BROKER_REVOKED_FILE,
    },
    maxClients: given.ESPALIER_BROKER_MAX_CLIENTS,
    maxPacketBytes: given.ESPALIER_BROKER_MAX_PACKET_BYTES,
    drainTimeoutMs: given.ESPALIER_BROKER_DRAIN_TIMEOUT_MS,
    logLevel: given.ESPALIER_BROKER_LOG_LEVEL,
  };
}
