import type {
  Assignment,
  Budget,
  DeviceView,
  PlanView,
  Profile,
  ReleaseView,
} from '@espalier/protocol';
import type { ApiClient } from '../api/client.js';
import {
  createClaimToken,
  getDevice,
  latestProfile,
  listDevices,
  patchDevice,
  telemetryOf,
} from '../api/fleet.js';
import {
  listCandidates,
  makeCandidates,
  pushModel,
  type Candidate,
  type Model,
} from '../api/models.js';
import { createPlan, createRelease } from '../api/releases.js';
import {
  createRollout,
  getRollout,
  hasEnded,
  orderRollout,
  type Rollout,
} from '../api/rollouts.js';
import { CliError } from '../errors.js';
import { followJob } from '../jobs.js';
import { budgetText } from '../output/budget.js';
import { bytes } from '../output/figures.js';
import { showRollout } from '../output/rollout-progress.js';
import { showStages } from '../output/stage-progress.js';
import type { Terminal } from '../output/terminal.js';
import type { Example } from './example.js';
import { FLEET, type DemoDevice } from './fleet.js';
import { budgetAt, fittingLimit, limitText, needOf, type Outcome } from './limits.js';
import { accuracyOn, sumUp } from './measured.js';
import type { Row } from './table.js';
import { until } from './wait.js';
import { widthsKey } from './widths.js';

/** What the steps of the demo work with. */
export interface Stage {
  readonly api: ApiClient;
  readonly terminal: Terminal;
  /** Aborted by an interrupt, and when a process of the demo ends by itself. */
  readonly signal: AbortSignal;
  readonly example: Example;
  /** Starts the agent of a device with its claim token. */
  startAgent(made: DemoDevice, token: string): void;
}

/** A device that has joined and measured itself. */
export interface Joined {
  readonly made: DemoDevice;
  readonly id: string;
  readonly profile: Profile;
}

/** Seconds that each step may take before the demo gives up. */
const DEADLINE = { join: 90, rollout: 120, telemetry: 120 } as const;

/** Labelled samples that each device serves before the demo ends. */
const SAMPLES = 2000;

const CANDIDATES = 8;
const TELEMETRY_WINDOWS = 1000;

/** Lets the fleet join, one after another, so that none disturbs what another measures. */
export async function registerFleet(stage: Stage): Promise<Joined[]> {
  const { api, terminal, signal } = stage;
  const joined: Joined[] = [];
  for (const made of FLEET) {
    const { name, role, slowdown, memoryMib } = made;
    const labels = { device: name };
    const { token } = await createClaimToken(api, { name, labels, expiresInSeconds: 600 });
    stage.startAgent(made, token);
    const { id } = await until(`${name} joins and measures itself`, DEADLINE.join, signal, () =>
      readyDevice(api, name),
    );
    const profile = await latestProfile(api, id);
    if (!profile) throw new CliError('CLI_DEMO', `${name} is ready without a profile.`);
    joined.push({ made, id, profile });
    const notes = [
      role,
      ...(memoryMib === undefined ? [] : [`${memoryMib} MiB of memory`]),
      ...(profile.storage.limitedBy === 'configuration'
        ? [`${bytes(profile.storage.limitBytes)} of storage`]
        : []),
      ...(slowdown === undefined ? [] : [`emulated: a processor ${slowdown} times slower`]),
    ];
    terminal.print(
      `${name.padEnd(8)} ${notes.join(', ')}; ${profile.kernels.length} kernel times in ${profile.measuringSeconds.toFixed(1)} s`,
    );
  }
  return joined;
}

async function readyDevice(api: ApiClient, name: string): Promise<DeviceView | null> {
  const [device] = await listDevices(api, { selector: `device=${name}`, limit: 1 });
  return device && device.state !== 'enrolled' ? device : null;
}

/** Pushes the example and makes candidates of it. */
export async function makeVariants(
  stage: Stage,
): Promise<{ model: Model; candidates: Map<string, Candidate> }> {
  const { api, terminal, signal, example } = stage;
  const { name, modelBytes, calibration, evaluation, card } = example;
  const model = await pushModel(api, { name, model: modelBytes, calibration, evaluation, card });
  const job = await makeCandidates(api, model.id, {
    points: CANDIDATES,
    precisions: ['fp32', 'int8'],
    seed: 1,
  });
  const stages = showStages(terminal.progress);
  try {
    await followJob(api, job, stages, signal);
  } finally {
    stages.stop();
  }
  const made = await listCandidates(api, model.id);
  return { model, candidates: new Map(made.map((candidate) => [candidate.id, candidate])) };
}

/** Gives the devices their limits, so that they need different variants, and says how. */
export async function setLimits(
  stage: Stage,
  fleet: readonly Joined[],
  model: Model,
  candidates: ReadonlyMap<string, Candidate>,
): Promise<Map<string, string>> {
  const { api, terminal, example } = stage;
  const limits = new Map<string, string>();
  const taken = new Set<string>();
  for (const { made, id, profile } of fleet) {
    const need = needOf(example.model, model.inspection.peakRamBytes, profile);
    const ask = async (budget: Budget): Promise<Outcome> => {
      await patchDevice(api, id, { budget });
      const plan = await createPlan(api, { modelId: model.id, selector: `device=${made.name}` });
      const candidateId = plan.assignments[0]?.candidateId ?? null;
      const candidate = candidateId === null ? undefined : candidates.get(candidateId);
      return { candidateId, widths: candidate ? widthsKey(candidate.report) : null };
    };
    const { limit: first } = made;
    const limit =
      first && first.of !== 'storage'
        ? await fittingLimit(first, taken, (tried) => ask(budgetAt(tried, need)))
        : first;
    const budget = limit ? budgetAt(limit, need) : {};
    const { widths } = await ask(budget);
    if (widths !== null) taken.add(widths);
    terminal.print(`${made.name.padEnd(8)} ${limit ? limitText(limit, need) : 'no limit'}`);
    const own = limit?.of === 'storage' ? `storage ${bytes(profile.storage.limitBytes)}` : null;
    limits.set(id, own ?? budgetText(budget));
  }
  return limits;
}

/** A release of a plan, signed by the demo's own server. @throws CliError CLI_DEMO */
export async function signedRelease(
  stage: Stage,
  model: Model,
  plan: PlanView,
): Promise<ReleaseView> {
  const release = await createRelease(stage.api, { modelId: model.id, planId: plan.id });
  if (release.state === 'signed') return release;
  throw new CliError('CLI_DEMO', `The server did not sign release ${release.id} by itself.`);
}

/** Rolls a release out and shows how; @throws CliError CLI_DEMO unless it completes in time */
export async function rollOut(
  stage: Stage,
  release: ReleaseView,
  plan: PlanView,
  percents: readonly number[],
  fleet: readonly Joined[],
): Promise<Rollout> {
  const { api, terminal, signal } = stage;
  const { id } = await createRollout(api, {
    ...{ releaseId: release.id, planId: plan.id },
    stages: percents.map((share) => ({ percent: share })),
    gate: { maxFailedShare: 0, minSample: 1 },
    soakSeconds: 1,
    deviceDeadlineSeconds: 60,
  });
  await orderRollout(api, id, 'start', { why: 'the demo' });
  const sizes = new Map(release.document.variants.map((one) => [one.id, one.artifact.length]));
  const names = new Map(fleet.map((one) => [one.id, one.made.name]));
  const bars = showRollout(terminal.progress, sizes, (device) => names.get(device) ?? device);
  try {
    const rollout = await until('the rollout ends', DEADLINE.rollout, signal, async () => {
      const now = await getRollout(api, id);
      bars.update(now);
      return hasEnded(now) ? now : null;
    });
    if (rollout.status === 'completed') return rollout;
    const why = rollout.devices.flatMap(({ deviceId, failure }) =>
      failure ? [`${names.get(deviceId) ?? deviceId} ${failure.code}: ${failure.message}`] : [],
    );
    throw new CliError('CLI_DEMO', `The rollout ended ${rollout.status}. ${why.join(' ')}`);
  } finally {
    bars.stop();
  }
}

/** What each device of a rollout got and measured, once it has served enough samples. */
export async function results(
  stage: Stage,
  context: {
    readonly fleet: readonly Joined[];
    readonly limits: ReadonlyMap<string, string>;
    readonly candidates: ReadonlyMap<string, Candidate>;
    readonly plan: PlanView;
    readonly rollout: Rollout;
    readonly hits: readonly boolean[];
  },
): Promise<Row[]> {
  const { api, signal } = stage;
  const { fleet, limits, candidates, plan, rollout, hits } = context;
  const rows: Row[] = [];
  for (const { made, id } of fleet) {
    const assignment = plan.assignments.find(({ deviceId }) => deviceId === id);
    const { candidate, predictedMs } = planned(made.name, assignment, candidates);
    const measured = await until(`${made.name} measures`, DEADLINE.telemetry, signal, async () => {
      const windows = await telemetryOf(api, id, TELEMETRY_WINDOWS);
      const sum = sumUp(windows, candidate.id);
      return sum && sum.labelled >= SAMPLES ? sum : null;
    });
    rows.push({
      ...{ made, candidate, predictedMs, measured },
      device: await getDevice(api, id),
      limit: limits.get(id) ?? 'none',
      sentBytes: rollout.devices.find(({ deviceId }) => deviceId === id)?.sentBytes ?? 0,
      accuracyBefore: accuracyOn(hits, measured.labelled),
    });
  }
  return rows;
}

/** The candidate that a plan gives a device. @throws CliError CLI_DEMO when it gives none */
export function planned(
  name: string,
  assignment: Assignment | undefined,
  candidates: ReadonlyMap<string, Candidate>,
): { candidate: Candidate; predictedMs: number } {
  const { candidateId, predictedLatencyMs, reasons, wouldFit } = assignment ?? {};
  const candidate = candidateId ? candidates.get(candidateId) : undefined;
  if (candidate && predictedLatencyMs != null)
    return { candidate, predictedMs: predictedLatencyMs };
  const why = [...(reasons ?? []), ...(wouldFit ? [wouldFit.text] : [])].join('; ');
  throw new CliError('CLI_DEMO', `No candidate fits ${name}: ${why}`);
}
