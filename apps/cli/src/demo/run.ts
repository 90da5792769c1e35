import { mkdtemp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { beginSession } from '../api/access.js';
import { ApiClient } from '../api/client.js';
import { patchDevice } from '../api/fleet.js';
import { createPlan } from '../api/releases.js';
import { CliError } from '../errors.js';
import { duration } from '../output/figures.js';
import type { Terminal } from '../output/terminal.js';
import { planText } from '../commands/plan.js';
import { openExample, trainedModelHits, type Example } from './example.js';
import { FLEET, STORAGE_COPIES, type DemoDevice } from './fleet.js';
import { firstLine, Processes } from './processes.js';
import {
  makeVariants,
  registerFleet,
  results,
  rollOut,
  setLimits,
  signedRelease,
  type Stage,
} from './scenario.js';
import { faultsOf, liftText, loadedText, resultText, type Row } from './table.js';
import { channelShare, widthsKey } from './widths.js';

const SERVER = fileURLToPath(new URL('../../../server/dist/main.js', import.meta.url));
const AGENT = fileURLToPath(new URL('../../../agent/dist/main.js', import.meta.url));

/** File in the server's folder that a first start writes. */
const ADMIN_PASSWORD = 'admin-password';
const SERVER_START_MS = 180_000;
const MIB = 1024 * 1024;

const listeningSchema = z.object({ event: z.literal('listening'), url: z.string() });

export interface DemoOptions {
  /** End when all is shown, instead of leaving the server running. */
  readonly once: boolean;
  /** An empty or new folder; undefined: a temporary one, removed at the end. */
  readonly dataDir: string | undefined;
  /** Port of the server; 0 takes a free one. */
  readonly port: number;
}

/**
 * The whole flow on this machine: a server with its broker, four agents, one model, many variants.
 * @returns what was not as it should be; empty when all was
 * @throws CliError CLI_DEMO, and whatever a step threw
 */
export async function runDemo(
  options: DemoOptions,
  terminal: Terminal,
  interrupt: AbortSignal,
): Promise<readonly string[]> {
  const temporary = options.dataDir === undefined;
  const folder = await demoFolder(options.dataDir);
  const processes = new Processes(join(folder, 'logs'));
  const signal = AbortSignal.any([interrupt, processes.brokenSignal]);
  try {
    const example = await openExample();
    const dataDir = join(folder, 'server');
    const url = await startServer(processes, dataDir, options.port, signal);
    const api = await loggedIn(url, await readFile(join(dataDir, ADMIN_PASSWORD), 'utf8'), signal);
    const faults = await show({
      ...{ api, terminal, signal, example },
      startAgent: (made, token) => startAgent(processes, folder, url, made, token, example),
    });
    if (!options.once) await leaveRunning(url, folder, terminal, signal);
    return faults;
  } catch (error) {
    const cause = processes.brokenSignal.aborted ? processes.brokenSignal.reason : error;
    if (!interrupt.aborted) terminal.note(processes.tails());
    throw cause;
  } finally {
    await processes.stop();
    if (temporary) await rm(folder, { recursive: true, force: true });
  }
}

async function show(stage: Stage): Promise<readonly string[]> {
  const { api, terminal, example } = stage;
  const { colors } = terminal;
  const startedAt = performance.now();
  const heading = (text: string): void => {
    const at = duration((performance.now() - startedAt) / 1000);
    terminal.print(`\n${colors.bold(text)} ${colors.dim(`(${at})`)}`);
  };

  heading(`${FLEET.length} devices join and measure themselves`);
  const fleet = await registerFleet(stage);

  heading(`${example.name} is made into candidates, without training`);
  const { model, candidates } = await makeVariants(stage);
  const shapes = new Set([...candidates.values()].map(({ report }) => widthsKey(report)));
  terminal.print(`${candidates.size} candidates of ${shapes.size} different widths`);

  heading('Each device gets its limits');
  const limits = await setLimits(stage, fleet, model, candidates);

  heading('The plan');
  const plan = await createPlan(api, { modelId: model.id });
  terminal.print(planText(plan, terminal));

  heading('Release and rollout in stages: 25, 50, 100 percent');
  const release = await signedRelease(stage, model, plan);
  terminal.print(
    `release ${release.id} with ${release.document.variants.length} variants, signed by the demo server itself; a real release is signed offline`,
  );
  const rollout = await rollOut(stage, release, plan, [25, 50, 100], fleet);

  heading('The devices serve, and report what they measure');
  const hits = await trainedModelHits(example);
  const shared = { limits, candidates, hits };
  const rows = await results(stage, { ...shared, fleet, plan, rollout });
  terminal.print(`${resultText(rows, terminal)}\n\n${loadedText(rows)}`);

  const before = tightest(rows);
  heading(`The limit of ${before.made.name} is lifted`);
  const { id, name } = before.device;
  await patchDevice(api, id, { budget: {} });
  const again = await createPlan(api, { modelId: model.id, selector: `device=${name}` });
  const wanted = again.assignments[0]?.candidateId;
  const held = release.document.variants.some((variant) => variant.id === wanted);
  terminal.print(
    held
      ? `its new variant is in release ${release.id} already: no new signature is needed`
      : 'its new variant is in no release yet: a new one is made and signed',
  );
  const second = held ? release : await signedRelease(stage, model, again);
  const only = fleet.filter((one) => one.id === id);
  const update = await rollOut(stage, second, again, [100], only);
  const [after] = await results(stage, {
    ...shared,
    limits: new Map([[id, 'no limit']]),
    ...{ fleet: only, plan: again, rollout: update },
  });
  if (!after) throw new CliError('CLI_DEMO', `${name} gave no result after its limit was lifted.`);
  terminal.print(liftText(before, after, terminal));

  const widths = new Set(rows.map(({ candidate }) => widthsKey(candidate.report))).size;
  const faults = faultsOf(rows, [before, after]);
  heading(`Done: ${fleet.length} devices, variants of ${widths} different widths`);
  for (const fault of faults) terminal.print(colors.red(fault));
  return faults;
}

/** Of the devices with a budget, the one that was cut the most. */
function tightest(rows: readonly Row[]): Row {
  const limited = rows.filter(({ made }) => made.limit && made.limit.of !== 'storage');
  const [first, ...rest] = limited;
  if (!first) throw new CliError('CLI_DEMO', 'No device of the demo has a budget to lift.');
  return rest.reduce(
    (least, row) =>
      channelShare(row.candidate.report) < channelShare(least.candidate.report) ? row : least,
    first,
  );
}

/** @throws CliError CLI_USAGE when the folder holds anything */
async function demoFolder(given: string | undefined): Promise<string> {
  if (given === undefined) return mkdtemp(join(tmpdir(), 'espalier-demo-'));
  const folder = resolve(given);
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) {
    throw new CliError('CLI_USAGE', `--data-dir ${given} is not empty; the demo begins afresh.`);
  }
  return folder;
}

async function startServer(
  processes: Processes,
  dataDir: string,
  port: number,
  signal: AbortSignal,
): Promise<string> {
  const child = processes.start('server', SERVER, [], {
    PATH: process.env['PATH'],
    DATA_DIR: dataDir,
    PORT: String(port),
    BROKER_PORT: '0',
    ESPALIER_SELF_SIGN: '1',
  });
  const line = await firstLine(
    child,
    AbortSignal.any([signal, AbortSignal.timeout(SERVER_START_MS)]),
  );
  const parsed = listeningSchema.safeParse(JSON.parse(line));
  if (parsed.success) return parsed.data.url;
  throw new CliError('CLI_DEMO', `The server began with "${line}", not with its address.`);
}

async function loggedIn(url: string, password: string, signal: AbortSignal): Promise<ApiClient> {
  const login = { name: 'admin', password: password.trim() };
  const { token } = await beginSession(new ApiClient(url, null, signal), login);
  return new ApiClient(url, token, signal);
}

function startAgent(
  processes: Processes,
  folder: string,
  url: string,
  made: DemoDevice,
  token: string,
  example: Example,
): void {
  const { name, limit, memoryMib, slowdown } = made;
  const storage =
    limit?.of === 'storage'
      ? (limit.share * STORAGE_COPIES * example.modelBytes.length) / MIB
      : undefined;
  const option = (flag: string, value: number | undefined): string[] =>
    value === undefined ? [] : [flag, String(value)];
  processes.start(
    name,
    AGENT,
    [
      ...['--server', url, '--state-dir', join(folder, name), '--name', name],
      ...['--input', example.evaluationPath],
      ...['--inference-interval-ms', '2', '--telemetry-interval-ms', '1000'],
      ...option('--memory-limit-mib', memoryMib),
      ...option('--storage-limit-mib', storage),
      ...option('--emulate-slowdown', slowdown),
    ],
    { PATH: process.env['PATH'], ESPALIER_CLAIM_TOKEN: token },
  );
}

/** Until the person interrupts, or a process ends by itself. */
async function leaveRunning(
  url: string,
  folder: string,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  terminal.print(
    [
      '',
      `The server runs at ${url} with the four devices; its API is described at ${url}/api/docs.`,
      `Log in: node apps/cli/dist/main.js login --server ${url} --name admin --password-stdin < ${join(folder, 'server', ADMIN_PASSWORD)}`,
      `Then try: node apps/cli/dist/main.js devices list --server ${url}`,
      `Logs are in ${join(folder, 'logs')}. Ctrl-C ends it all.`,
    ].join('\n'),
  );
  await new Promise<void>((end) => {
    if (signal.aborted) end();
    else signal.addEventListener('abort', () => end(), { once: true });
  });
}
