import { LABEL_FORM, withLabel } from '@espalier/protocol';
import { Command, InvalidArgumentError, Option } from 'commander';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { AGENT_VERSION } from './version.js';

const MEBIBYTE = 1024 * 1024;
/** Node's timers fire at once where they are given more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** How an agent runs. */
export interface AgentOptions {
  readonly server: string;
  readonly token: string | undefined;
  readonly stateDir: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly memoryLimitBytes: number | undefined;
  readonly storageLimitBytes: number | undefined;
  readonly emulatedSlowdown: number | null;
  readonly inputPath: string | null;
  readonly inferenceIntervalMs: number;
  readonly telemetryIntervalMs: number;
  readonly watchdogMs: number;
  /** The longest that loading a model, or running it once, may take. */
  readonly callLimitMs: number;
  readonly feedbackPort: number | null;
  readonly feedbackDir: string | null;
  /** Most bytes of shadow samples in a day, whoever orders more; null: none may be ordered. */
  readonly shadowBytesPerDay: number | null;
  readonly keepaliveS: number;
  readonly quickProfile: boolean;
  readonly logLevel: string;
}

interface Given {
  server: string;
  token?: string;
  stateDir: string;
  name: string;
  label: Record<string, string>;
  memoryLimitMib?: number;
  storageLimitMib?: number;
  emulateSlowdown?: number;
  input?: string;
  inferenceIntervalMs: number;
  telemetryIntervalMs: number;
  watchdogMs: number;
  callLimitS: number;
  feedbackPort?: number;
  feedbackDir?: string;
  allowShadowSamples?: boolean;
  shadowDayMib: number;
  keepaliveS: number;
  quickProfile?: boolean;
  logLevel: string;
}

/** Reads the command line; prints help or what is wrong, and exits with 2 if something is. */
export const parseOptions = (argv: readonly string[]): AgentOptions =>
  optionsOf(agentCommand().parse(argv).opts<Given>());

/** The command line of the agent. */
export function agentCommand(): Command {
  return new Command('espalier-agent')
    .description('Runs the model that the fleet server chooses for this device.')
    .version(AGENT_VERSION)
    .addOption(
      new Option('--server <url>', 'address of the server, as http://host:port')
        .env('ESPALIER_SERVER')
        .argParser(url)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--token <token>', 'claim token; needed until the device is enrolled').env(
        'ESPALIER_CLAIM_TOKEN',
      ),
    )
    .requiredOption('--state-dir <dir>', 'where the device keeps its key, state and models')
    .option('--name <name>', 'name shown to people', hostname().slice(0, 64) || 'device')
    .option('--label <key=value>', 'label for selectors; may be repeated', label, {})
    .option('--memory-limit-mib <mib>', 'memory that a model may use', positive)
    .option('--storage-limit-mib <mib>', 'storage for models and downloads', positive)
    .option('--emulate-slowdown <factor>', 'emulate a processor slower by this factor', factor)
    .option('--input <file.npz>', 'samples to run on, with labels if there are any')
    .option('--inference-interval-ms <ms>', 'from one inference to the next', positive, 200)
    .option('--telemetry-interval-ms <ms>', 'length of a telemetry window', positive, 60_000)
    .option(
      '--watchdog-ms <ms>',
      'how long a new model must run to count as stable',
      positive,
      10_000,
    )
    .option(
      '--call-limit-s <s>',
      'how long loading a model, or running it once, may take before the agent ends, to be started anew',
      positive,
      120,
    )
    .option(
      '--feedback-port <port>',
      'take labels from applications on this device at http://127.0.0.1:port/v1/feedback',
      port,
    )
    .option(
      '--feedback-dir <dir>',
      'take labels from files *.jsonl that applications rename into this folder',
    )
    .option(
      '--allow-shadow-samples',
      'let the server ask for a few of the inputs, to judge them by the uncompressed model',
    )
    .option(
      '--shadow-day-mib <mib>',
      'most MiB of inputs that are sent in a day, however many are ordered',
      positive,
      16,
    )
    .option('--keepalive-s <s>', 'longest silence on the connection to the broker', positive, 30)
    .option('--quick-profile', 'measure the device in less time, less exactly')
    .addOption(
      new Option('--log-level <level>', 'what is logged to stderr')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

function optionsOf(given: Given): AgentOptions {
  return {
    server: given.server,
    token: given.token,
    stateDir: resolve(given.stateDir),
    name: given.name,
    labels: given.label,
    memoryLimitBytes: bytes(given.memoryLimitMib),
    storageLimitBytes: bytes(given.storageLimitMib),
    emulatedSlowdown: given.emulateSlowdown ?? null,
    inputPath: given.input === undefined ? null : resolve(given.input),
    inferenceIntervalMs: given.inferenceIntervalMs,
    telemetryIntervalMs: given.telemetryIntervalMs,
    watchdogMs: given.watchdogMs,
    callLimitMs: Math.min(1000 * given.callLimitS, LONGEST_TIMER_MS),
    feedbackPort: given.feedbackPort ?? null,
    feedbackDir: given.feedbackDir === undefined ? null : resolve(given.feedbackDir),
    shadowBytesPerDay: given.allowShadowSamples ? Math.floor(given.shadowDayMib * MEBIBYTE) : null,
    keepaliveS: Math.ceil(given.keepaliveS),
    quickProfile: given.quickProfile ?? false,
    logLevel: given.logLevel,
  };
}

const bytes = (mib: number | undefined): number | undefined =>
  mib === undefined ? undefined : Math.floor(mib * MEBIBYTE);

function url(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new InvalidArgumentError('It must be an http or https address.');
  }
  return text;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('It must be above 0.');
  return value;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535) {
    throw new InvalidArgumentError('It must be a port, 1 to 65535.');
  }
  return value;
}

function factor(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && Number.isFinite(value))) {
    throw new InvalidArgumentError('It must be 1 or more.');
  }
  return value;
}

function label(text: string, before: Record<string, string>): Record<string, string> {
  const labels = withLabel(before, text);
  if (labels === null) throw new InvalidArgumentError(`It must be ${LABEL_FORM}.`);
  return labels;
}
