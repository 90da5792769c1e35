import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { OidcSettings } from './access/oidc.js';
import { ServerError } from './errors.js';
import type { DatabaseAddress } from './persistence/address.js';

const port = z.coerce.number().int().min(0).max(65_535);
const flag = z
  .enum(['0', '1'])
  .default('0')
  .transform((value) => value === '1');

const brokerUrl = z.url({
  protocol: /^mqtts$/,
  error: 'must be an mqtts: URL; devices are known by their TLS certificates',
});
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
  /** Address that the HTTP API listens on. */
  HOST: z.string().min(1).default('127.0.0.1'),
  /** Its port; 0 takes a free one. */
  PORT: port.default(8080),
  /** Where keys, models and the database live. */
  DATA_DIR: z.string().min(1).default('.espalier'),
  /** `file:` URL of a SQLite database, or a `postgresql:` one; by default SQLite in DATA_DIR. */
  DATABASE_URL: z
    .string()
    .regex(/^(file:.+|postgres(ql)?:\/\/.+)/, 'must be a file: or postgresql: URL')
    .optional(),
  /**
   * PostgreSQL: a server that has not renewed its lease for so long is replaced by one that waits.
   * Servers of one database share DATA_DIR, which holds their keys and models, and BROKER_URL.
   */
  LEASE_SECONDS: z.coerce.number().min(1).max(3600).default(15),
  /** MQTT broker, mqtts://host:port; with none given the server starts its own. */
  BROKER_URL: brokerUrl.optional(),
  /** Broker address that devices are told at enrolment, where it differs from BROKER_URL. */
  BROKER_PUBLIC_URL: brokerUrl.optional(),
  /** PEM file of the authority that vouches for the broker of BROKER_URL; by default the server's. */
  BROKER_CA_FILE: file.optional(),
  /** PEM file of the certificate with which the server joins the broker; by default it makes one. */
  BROKER_CERT_FILE: file.optional(),
  /** PEM file of that certificate's key. */
  BROKER_KEY_FILE: file.optional(),
  /** Folder made by `espalier broker mosquitto-config`, where the broker of BROKER_URL is Mosquitto. */
  MOSQUITTO_DIR: z.string().min(1).optional(),
  /** Days that a device's certificate holds; the device renews it after two thirds of them. */
  CERTIFICATE_DAYS: z.coerce.number().positive().max(3650).default(90),
  /** Port of the server's own broker. */
  BROKER_PORT: port.default(8883),
  /** Address that it listens on. */
  BROKER_HOST: z.string().min(1).default('127.0.0.1'),
  /** Password of the account `admin`, which the first start makes; without it a random one is made. */
  ESPALIER_ADMIN_PASSWORD: z.string().min(12).max(256).optional(),
  /** OpenID Connect issuer whose bearer tokens count; without one only local accounts do. */
  OIDC_ISSUER: z.url({ protocol: /^https?$/ }).optional(),
  /** Audience that they must name. */
  OIDC_AUDIENCE: z.string().min(1).optional(),
  /** Claim with viewer, operator or admin, or a list of which one counts; `a.b` is b within a. */
  OIDC_ROLE_CLAIM: z.string().min(1).default('roles'),
  /** Addresses or networks of proxies whose X-Forwarded-For counts, comma separated. */
  TRUSTED_PROXIES: z
    .string()
    .default('')
    .transform((value) => value.split(',').filter((proxy) => proxy !== '')),
  /** Most requests in a minute by one token; by one address where there is no token. */
  REQUESTS_PER_MINUTE: z.coerce.number().int().min(1).default(12_000),
  /** Sign releases with a key of the server's own. For demonstrations. */
  ESPALIER_SELF_SIGN: flag,
  /** Base64 raw Ed25519 public keys that may sign releases, comma separated; written into the root. */
  ESPALIER_RELEASE_KEYS: z
    .string()
    .default('')
    .transform((value) => value.split(',').filter((key) => key !== '')),
  /** What is logged to stderr. */
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
  /** Largest model that may be uploaded, MiB. */
  MAX_MODEL_MIB: z.coerce.number().int().min(1).max(4096).default(1024),
  /** Most models kept; none goes by itself, so that a full store takes no more. */
  MAX_MODELS: z.coerce.number().int().min(1).max(10_000).default(1000),
  /** Most MiB of the files that they were uploaded with, data included. */
  MODEL_STORE_MIB: z.coerce.number().int().min(1).max(16_777_216).default(51_200),
  /** Most candidates kept; beyond, the oldest that no plan, release or policy names go. */
  MAX_CANDIDATES: z.coerce.number().int().min(1).max(1_000_000).default(5000),
  /** Most MiB of the files of candidates, likewise. */
  MAX_CANDIDATE_MIB: z.coerce.number().int().min(1).max(16_777_216).default(51_200),
  /** Largest data file that may be uploaded, MiB. */
  MAX_DATASET_MIB: z.coerce.number().int().min(1).max(8192).default(2048),
  /** Most finished compressions remembered; beyond, the oldest go. What they made stays. */
  MAX_FINISHED_JOBS: z.coerce.number().int().min(1).max(1_000_000).default(1000),
  /** Compressions at once; each has a process of its own. */
  COMPRESSION_WORKERS: z.coerce.number().int().min(1).max(64).default(1),
  /** Most KiB of chunks sent in a second in all; a broadcast counts once. */
  DELIVERY_KIB_PER_SECOND: z.coerce.number().positive().optional(),
  /** Most KiB of chunks sent to one device in a second. */
  DELIVERY_DEVICE_KIB_PER_SECOND: z.coerce.number().positive().optional(),
  /** Days that telemetry windows are kept. */
  TELEMETRY_DAYS: z.coerce.number().min(0.01).max(3650).default(30),
  /** Days that sums over a minute, an hour and a day are kept. */
  ROLLUP_MINUTE_DAYS: z.coerce.number().min(0.1).max(3650).default(3),
  ROLLUP_HOUR_DAYS: z.coerce.number().min(1).max(3650).default(90),
  ROLLUP_DAY_DAYS: z.coerce.number().min(1).max(36_500).default(1095),
  /** Days that verdicts on shadow samples are kept; inputs go as soon as they are judged. */
  SHADOW_DAYS: z.coerce.number().min(0.01).max(3650).default(30),
  /** Most MiB of inputs that wait to be judged; then devices keep theirs. */
  SHADOW_STORE_MIB: z.coerce.number().min(1).max(65_536).default(256),
  /** Dense models kept open for judging. */
  SHADOW_MODELS: z.coerce.number().int().min(1).max(64).default(2),
  /** Seconds after which the judging of a few samples is given up. */
  SHADOW_JUDGE_SECONDS: z.coerce.number().min(1).max(3600).default(120),
});

/** The server's configuration, parsed once at start. */
export type Configuration = ReturnType<typeof parseConfiguration>;

/** Injection token of {@link Configuration}. */
export const CONFIGURATION = Symbol('configuration');

/**
 * Parses the environment; an empty value counts as not given.
 * @throws ServerError CONFIG_INVALID naming the variable
 */
export function parseConfiguration(environment: Readonly<Record<string, string | undefined>>) {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ServerError(
      'CONFIG_INVALID',
      500,
      `${issue?.path.join('.') ?? 'The environment'}: ${issue?.message ?? 'is not valid'}.`,
    );
  }
  const env = parsed.data;
  const dataDir = resolve(env.DATA_DIR);
  return {
    host: env.HOST,
    port: env.PORT,
    dataDir,
    database: addressOf(env.DATABASE_URL, dataDir),
    leaseMs: env.LEASE_SECONDS * 1000,
    brokerUrl: env.BROKER_URL ?? null,
    brokerPublicUrl: env.BROKER_PUBLIC_URL ?? null,
    brokerAuthority: env.BROKER_CA_FILE ?? null,
    brokerIdentity: identityOf(env.BROKER_CERT_FILE, env.BROKER_KEY_FILE),
    mosquittoDir: env.MOSQUITTO_DIR === undefined ? null : resolve(env.MOSQUITTO_DIR),
    certificateMs: env.CERTIFICATE_DAYS * 86_400_000,
    brokerPort: env.BROKER_PORT,
    brokerHost: env.BROKER_HOST,
    adminPassword: env.ESPALIER_ADMIN_PASSWORD ?? null,
    oidc: oidcOf(env),
    trustedProxies: env.TRUSTED_PROXIES,
    requestsPerMinute: env.REQUESTS_PER_MINUTE,
    selfSign: env.ESPALIER_SELF_SIGN,
    releaseKeys: env.ESPALIER_RELEASE_KEYS,
    logLevel: env.LOG_LEVEL,
    maxModelBytes: env.MAX_MODEL_MIB * 2 ** 20,
    maxDatasetBytes: env.MAX_DATASET_MIB * 2 ** 20,
    maxModels: env.MAX_MODELS,
    modelStoreBytes: env.MODEL_STORE_MIB * 2 ** 20,
    maxCandidates: env.MAX_CANDIDATES,
    maxCandidateBytes: env.MAX_CANDIDATE_MIB * 2 ** 20,
    maxFinishedJobs: env.MAX_FINISHED_JOBS,
    compressionWorkers: env.COMPRESSION_WORKERS,
    deliveryRates: {
      total: bytesOrNull(env.DELIVERY_KIB_PER_SECOND),
      device: bytesOrNull(env.DELIVERY_DEVICE_KIB_PER_SECOND),
    },
    telemetryDays: env.TELEMETRY_DAYS,
    rollUpDays: {
      minute: env.ROLLUP_MINUTE_DAYS,
      hour: env.ROLLUP_HOUR_DAYS,
      day: env.ROLLUP_DAY_DAYS,
    },
    shadow: {
      days: env.SHADOW_DAYS,
      storeBytes: env.SHADOW_STORE_MIB * 2 ** 20,
      models: env.SHADOW_MODELS,
      judgeMs: env.SHADOW_JUDGE_SECONDS * 1000,
    },
  };
}

function addressOf(url: string | undefined, dataDir: string): DatabaseAddress {
  if (url !== undefined && !url.startsWith('file:')) return { kind: 'postgresql', url };
  const path = resolve(url?.slice('file:'.length) ?? join(dataDir, 'espalier.db'));
  return { kind: 'sqlite', path };
}

/** An issuer on another machine is asked over TLS alone. */
function oidcOf({
  OIDC_ISSUER: issuer,
  OIDC_AUDIENCE: audience,
  OIDC_ROLE_CLAIM: roleClaim,
}: z.infer<typeof environmentSchema>): OidcSettings | null {
  if (issuer === undefined) return null;
  if (audience === undefined) {
    throw new ServerError('CONFIG_INVALID', 500, 'OIDC_ISSUER needs OIDC_AUDIENCE as well.');
  }
  const { protocol, hostname } = new URL(issuer);
  if (protocol !== 'https:' && !['127.0.0.1', '[::1]', 'localhost'].includes(hostname)) {
    throw new ServerError('CONFIG_INVALID', 500, 'OIDC_ISSUER must be an https address.');
  }
  return { issuer, audience, roleClaim };
}

function identityOf(
  certificate: string | undefined,
  privateKey: string | undefined,
): { certificate: string; privateKey: string } | null {
  if (certificate === undefined && privateKey === undefined) return null;
  if (certificate !== undefined && privateKey !== undefined) return { certificate, privateKey };
  throw new ServerError('CONFIG_INVALID', 500, 'BROKER_CERT_FILE and BROKER_KEY_FILE: give both.');
}

const bytesOrNull = (kib: number | undefined): number | null =>
  kib === undefined ? null : kib * 1024;
