import { LIMITS } from '@espalier/protocol';
import { z } from 'zod';

const RAW_KEY_BYTES = 32;

/** The environment variables; each says what it is in the comment above it. */
export const environmentSchema = z.object({
  /** Address that it listens on. */
  ESPALIER_BROKER_HOST: z.string().min(1).default('127.0.0.1'),
  /** Port; 0: any free one; the line printed at the start names it. */
  ESPALIER_BROKER_PORT: z.coerce.number().int().min(0).max(65_535).default(1883),
  /** Base64 of the raw Ed25519 public key that verifies device credentials. */
  ESPALIER_BROKER_CREDENTIAL_KEY: z
    .base64()
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
    .refine((key) => key.byteLength === RAW_KEY_BYTES, 'must be a raw Ed25519 key of 32 bytes'),
  /** User name of the server. */
  ESPALIER_BROKER_SERVER_USER: z.string().min(1).max(64).default('espalier-server'),
  /** Its password. */
  ESPALIER_BROKER_SERVER_SECRET: z.string().min(16).max(512),
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
  readonly credentialKey: Uint8Array;
  readonly serverUser: string;
  readonly serverSecret: string;
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
 * Reads the configuration from environment variables.
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
    credentialKey: given.ESPALIER_BROKER_CREDENTIAL_KEY,
    serverUser: given.ESPALIER_BROKER_SERVER_USER,
    serverSecret: given.ESPALIER_BROKER_SERVER_SECRET,
    maxClients: given.ESPALIER_BROKER_MAX_CLIENTS,
    maxPacketBytes: given.ESPALIER_BROKER_MAX_PACKET_BYTES,
    drainTimeoutMs: given.ESPALIER_BROKER_DRAIN_TIMEOUT_MS,
    logLevel: given.ESPALIER_BROKER_LOG_LEVEL,
  };
}
