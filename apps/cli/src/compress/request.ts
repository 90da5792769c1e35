import { createHash } from 'node:crypto';
import type { CompressRequest, Goal } from '@espalier/compression';
import {
  openDataset,
  parseCard,
  readingFile,
  type Dataset,
  type InputCard,
} from '@espalier/dataset';
import { profileSchema, type Profile } from '@espalier/protocol';
import { latencyEstimator } from '@espalier/tuning';
import { CliError } from '../errors.js';
import { readGiven } from '../option-values.js';

/** What `espalier compress` was given. */
export interface CompressOptions {
  readonly model: string;
  readonly calibration: string;
  readonly evaluation?: string;
  readonly card?: string;
  readonly device?: string;
  readonly goals: readonly Goal[];
  readonly precision: 'fp32' | 'int8' | 'auto';
  readonly sparsity?: number;
  readonly seed: number;
}

/** Threads that a variant's session has on a device, and so those that latency is predicted for. */
const DEVICE_THREADS = 1;

/**
 * Opens every file that the options name.
 * @throws CliError CLI_FILE, CLI_PROFILE; DatasetError
 */
export async function openRequest(options: CompressOptions): Promise<CompressRequest> {
  const { goals, precision, sparsity, seed } = options;
  const model = await readGiven(options.model, 'the model');
  const calibration = await readDataset(options.calibration, '--calibration');
  const evaluation = options.evaluation
    ? await readDataset(options.evaluation, '--evaluation')
    : undefined;
  const card = options.card ? await readCard(options.card) : undefined;
  const profile = options.device ? await readProfile(options.device) : undefined;
  return {
    ...{ model, calibration, evaluation, card, goals, precision, sparsity, seed },
    ...(profile && {
      latency: latencyEstimator(profile, { threads: DEVICE_THREADS }),
      profileSha256: createHash('sha256').update(JSON.stringify(profile)).digest('hex'),
    }),
  };
}

/** A device's profile, as `espalier devices profile` prints it. @throws CliError CLI_PROFILE */
async function readProfile(path: string): Promise<Profile> {
  let document: unknown;
  try {
    document = JSON.parse(await readText(path, '--device'));
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError('CLI_PROFILE', `--device ${path} is not JSON.`, { cause });
  }
  const parsed = profileSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CliError(
    'CLI_PROFILE',
    `--device ${path} is no device profile: ${issue?.path.join('.') || 'the document'}: ${issue?.message ?? 'not valid'}.`,
  );
}

async function readDataset(path: string, what: string): Promise<Dataset> {
  const bytes = await readGiven(path, what);
  return readingFile(`${what} ${path}`, () => openDataset(bytes));
}

async function readCard(path: string): Promise<InputCard> {
  const text = await readText(path, '--card');
  return readingFile(`--card ${path}`, () => parseCard(text));
}

async function readText(path: string, what: string): Promise<string> {
  return Buffer.from(await readGiven(path, what)).toString('utf8');
}
