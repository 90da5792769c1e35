import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { RolloutRequest, StageRequest } from '../api/rollouts.js';
import { CliError } from '../errors.js';
import { listOf, number, positive, share, whole } from '../option-values.js';
import type { ApiOptions } from './connection.js';

const POINT = 0.01;

/** Options that say what a rollout may do and when it must stop. */
export interface RequestOptions extends ApiOptions {
  readonly stages: StageRequest[];
  readonly maxFailedShare: number;
  readonly minSample: number;
  readonly scope: 'rollout' | 'variant';
  readonly control?: number;
  readonly keepControls?: boolean;
  readonly accuracy?: [tolerated: number, intolerable: number];
  readonly maxLatencyMs?: number;
  readonly maxLatencyRatio?: number;
  readonly maxMemoryRatio?: number;
  readonly maxRestarts?: number;
  readonly wait?: number;
  readonly soak: number;
  readonly deadline: number;
  readonly perMinute?: number;
  readonly joinLate?: boolean;
  readonly replan: boolean;
  readonly at: { at: string; order: string; mode?: string }[];
  readonly spec?: string;
}

/** Adds the options of a rollout's specification to a command. */
export function withRolloutOptions(command: Command): Command {
  return command
    .option(
      '--stages <list>',
      'cumulative: 5 is percent, 10n devices, site=lyon a label; 25! asks for approval first',
      listOf(stageOf),
      [5, 25, 100].map((percent) => ({ percent })),
    )
    .option('--max-failed-share <share>', 'share of failed devices that halts it', share, 0.1)
    .option('--min-sample <N>', 'results that a stage needs to pass', whole(1), 1)
    .addOption(
      new Option('--scope <what>', 'what a gate stops: all of it, or the variant that fails')
        .choices(['rollout', 'variant'])
        .default('rollout'),
    )
    .option('--control <percent>', 'devices of each variant held back to compare with', positive)
    .option('--keep-controls', 'leave them for another rollout; else they come last')
    .option(
      '--accuracy <points>',
      'points lost that are tolerated, and that are intolerable, as 1,6',
      pointsOf,
    )
    .option('--max-latency-ms <ms>', '95th percentile of latency on any device', positive)
    .option('--max-latency-ratio <times>', 'the same against the device itself before', positive)
    .option('--max-memory-ratio <times>', 'resident memory against itself before', positive)
    .option('--max-restarts <N>', 'restarts of a device since its update', whole(0))
    .option('--wait <seconds>', 'how long evidence is waited for; then it holds', whole(0))
    .option('--soak <seconds>', 'how long a settled stage is watched', whole(0), 60)
    .option('--deadline <seconds>', 'time that a device has for its result', whole(1), 900)
    .option('--per-minute <N>', 'most devices begun a minute', whole(1))
    .option('--join-late', 'devices that match the plan later on join')
    .option('--no-replan', 'devices of a stopped variant get no other one')
    .option(
      '--at <order=time>',
      'start, pause, resume, abort or abort-revert at a time; may be repeated',
      scheduled,
      [],
    )
    .option('--spec <file.json>', 'the whole specification instead of these options');
}

/** The request that the options make. @throws CliError CLI_FILE */
export async function requestOf(
  releaseId: string,
  planId: string,
  options: RequestOptions,
): Promise<RolloutRequest> {
  if (options.spec !== undefined) {
    return { ...(await readSpec(options.spec)), releaseId, planId } as unknown as RolloutRequest;
  }
  return {
    releaseId,
    planId,
    stages: options.stages,
    gate: gateOf(options),
    ...(options.control === undefined
      ? {}
      : { control: { percent: options.control, release: options.keepControls !== true } }),
    soakSeconds: options.soak,
    deviceDeadlineSeconds: options.deadline,
    ...(options.perMinute === undefined ? {} : { maxPerMinute: options.perMinute }),
    joinLate: options.joinLate === true,
    replan: options.replan,
    schedule: options.at,
  };
}

function gateOf(options: RequestOptions): RolloutRequest['gate'] {
  const { accuracy, maxLatencyMs, maxLatencyRatio, maxMemoryRatio, maxRestarts, wait } = options;
  return {
    maxFailedShare: options.maxFailedShare,
    minSample: options.minSample,
    scope: options.scope,
    ...(wait === undefined ? {} : { waitSeconds: wait }),
    ...(accuracy
      ? { accuracy: { tolerated: accuracy[0] * POINT, intolerable: accuracy[1] * POINT } }
      : {}),
    ...(maxLatencyMs === undefined && maxLatencyRatio === undefined
      ? {}
      : { latency: { maxP95Ms: maxLatencyMs, maxRatio: maxLatencyRatio } }),
    ...(maxMemoryRatio === undefined ? {} : { memory: { maxRatio: maxMemoryRatio } }),
    ...(maxRestarts === undefined ? {} : { restarts: { maxPerDevice: maxRestarts } }),
  };
}

async function readSpec(path: string): Promise<object> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as object;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('CLI_FILE', `--spec: ${path} cannot be read as JSON (${why}).`, { cause });
  }
}

function stageOf(text: string): StageRequest {
  const approval = text.endsWith('!');
  const what = approval ? text.slice(0, -1) : text;
  const asked = approval ? { approval } : {};
  if (what.includes('=')) return { selector: what, ...asked };
  return what.endsWith('n')
    ? { count: whole(1)(what.slice(0, -1)), ...asked }
    : { percent: positive(what), ...asked };
}

function pointsOf(text: string): [number, number] {
  const [tolerated, intolerable, ...rest] = listOf(number)(text);
  if (tolerated === undefined || intolerable === undefined || rest.length > 0) {
    throw new InvalidArgumentError('It must be two numbers, as 1,6.');
  }
  return [tolerated, intolerable];
}

function scheduled(text: string, before: RequestOptions['at']): RequestOptions['at'] {
  const at = text.indexOf('=');
  const order = text.slice(0, at);
  const time = new Date(text.slice(at + 1));
  if (at < 1 || Number.isNaN(time.getTime())) {
    throw new InvalidArgumentError('It must be order=time, as start=2027-01-31T08:00:00Z.');
  }
  const mode = order === 'abort-revert' ? { mode: 'revert' } : {};
  return [...before, { at: time.toISOString(), order: order.replace('-revert', ''), ...mode }];
}
