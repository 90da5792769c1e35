import type { Budget, Profile } from '@espalier/protocol';
import { type Candidate, type QualityMeasure, quality } from './candidate.js';
import { cautionOf, exclusionText, nearestFit, requireMeasure, type WouldFit } from './choice.js';
import { costsOfDevice, type EstimateSettings, Estimator } from './estimate.js';
import { allowance, type Estimate, fits, type Overrun, overruns } from './limits.js';
import { type DeviceClass, selectVariants } from './select-variants.js';

/** A device to plan for. */
export interface PlanDevice {
  readonly id: string;
  readonly profile: Profile;
  readonly budget: Budget;
  /** Measured over predicted latency of the device's class, from the fleet. Default 1. */
  readonly latencyFactor?: number;
  /** Bytes of the model that stays on the device for roll-back. */
  readonly keptBytes?: number;
}

/** How a fleet is planned. */
export interface FleetOptions {
  /** Most variants in the plan; default 16. */
  readonly maxVariants?: number;
  /** Threads of the session; default 1. */
  readonly threads?: number;
}

/** What one device gets. */
export interface Assignment {
  readonly deviceId: string;
  /** Null: a misfit; `reasons` and `wouldFit` say why. */
  readonly candidateId: string | null;
  readonly predicted: Estimate | null;
  /** The device's own best without a bound on variants. */
  readonly ownBestId: string | null;
  /** Quality given up against that best: percentage points, or the error measure's own unit. */
  readonly loss: number;
  readonly reasons: readonly string[];
  readonly excluded: readonly {
    readonly candidateId: string;
    readonly overruns: readonly Overrun[];
  }[];
  readonly wouldFit: WouldFit | null;
}

/** Few variants for many devices. */
export interface FleetPlan {
  readonly measure: QualityMeasure;
  /** The variants in use, best quality first, with the number of devices of each. */
  readonly variants: readonly { readonly candidateId: string; readonly devices: number }[];
  /** In the order of the devices given. */
  readonly assignments: readonly Assignment[];
  /** Devices without a variant. */
  readonly misfits: readonly string[];
  /** Mean loss over the devices that got a variant. */
  readonly meanLoss: number;
}

/**
 * Plans a fleet: each device gets the most accurate of a few variants that keeps its hard limits.
 * The few are chosen so that every device that some candidate fits is served where the bound allows
 * it, and so that the sum of losses against each device's own best is small.
 * @throws TuningError TUNING_CANDIDATES, TUNING_PROFILE
 */
export function planFleet(
  devices: readonly PlanDevice[],
  candidates: readonly Candidate[],
  options: FleetOptions = {},
): FleetPlan {
  const measure = requireMeasure(candidates);
  const unit = measure === 'accuracy' || measure === 'agreement' ? 100 : 1;
  const ranked = candidates
    .map((candidate) => ({ candidate, value: quality(candidate, measure) }))
    .sort((a, b) => b.value - a.value || (a.candidate.id < b.candidate.id ? -1 : 1));
  const estimators = ranked.map(({ candidate }) => new Estimator(candidate));
  const values = ranked.map(({ value }) => value);

  const prospects = devices.map((device) => prospectOf(device, estimators, options));
  const chosen = selectVariants(classesOf(prospects), values, options.maxVariants ?? 16);
  const inPlan = new Set(chosen);
  const assignments = prospects.map((prospect) => assign(prospect, inPlan, values, unit));

  const counts = new Map<string, number>();
  for (const { candidateId } of assignments) {
    if (candidateId !== null) counts.set(candidateId, (counts.get(candidateId) ?? 0) + 1);
  }
  const served = assignments.filter((one) => one.candidateId !== null);
  return {
    measure,
    variants: ranked.flatMap(({ candidate }) => {
      const count = counts.get(candidate.id);
      return count ? [{ candidateId: candidate.id, devices: count }] : [];
    }),
    assignments,
    misfits: assignments.flatMap((one) => (one.candidateId === null ? [one.deviceId] : [])),
    meanLoss: served.reduce((sum, one) => sum + one.loss, 0) / Math.max(1, served.length),
  };
}

/** How every candidate, best quality first, stands on one device. */
interface Prospect {
  readonly device: PlanDevice;
  readonly options: readonly {
    readonly candidate: Candidate;
    readonly predicted: Estimate;
    readonly overruns: readonly Overrun[];
  }[];
  /** Positions of those that keep every hard limit. */
  readonly fitting: readonly number[];
}

function prospectOf(
  device: PlanDevice,
  estimators: readonly Estimator[],
  options: FleetOptions,
): Prospect {
  const settings: EstimateSettings = {
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    ...(device.latencyFactor === undefined ? {} : { latencyFactor: device.latencyFactor }),
    ...(device.keptBytes === undefined ? {} : { keptBytes: device.keptBytes }),
  };
  const costs = costsOfDevice(device.profile, settings);
  const allowed = allowance(device.profile, device.budget);
  const fitting: number[] = [];
  const standing = estimators.map((estimator, at) => {
    const { candidate } = estimator;
    const predicted = estimator.on(costs, settings);
    const kept = fits(candidate, predicted, allowed);
    if (kept) fitting.push(at);
    const checked = kept && !device.budget.soft?.length;
    return {
      candidate,
      predicted,
      overruns: checked ? NONE : overruns(candidate, predicted, allowed, device.budget),
    };
  });
  return { device, options: standing, fitting };
}

const NONE: readonly Overrun[] = [];

/** Devices that the same candidates fit are one class. */
function classesOf(prospects: readonly Prospect[]): DeviceClass[] {
  const classes = new Map<string, { fitting: readonly number[]; devices: number }>();
  for (const { fitting } of prospects) {
    if (fitting.length === 0) continue;
    const key = fitting.join();
    const known = classes.get(key);
    if (known) known.devices++;
    else classes.set(key, { fitting, devices: 1 });
  }
  return [...classes.values()];
}

function assign(
  prospect: Prospect,
  inPlan: ReadonlySet<number>,
  values: readonly number[],
  unit: number,
): Assignment {
  const { device, options, fitting } = prospect;
  const byPreference = (positions: readonly number[]) =>
    positions.reduce<number | null>(
      (best, at) => (best === null || isBetter(at, best, options, values) ? at : best),
      null,
    );
  const own = byPreference(fitting);
  const given = byPreference(fitting.filter((at) => inPlan.has(at)));
  const excluded = options.flatMap(({ candidate, overruns: broken }) =>
    broken.some((overrun) => overrun.hard)
      ? [{ candidateId: candidate.id, overruns: broken.filter((overrun) => overrun.hard) }]
      : [],
  );
  const chosen = given === null ? undefined : options[given];
  const best = own === null ? undefined : options[own];
  const loss =
    given === null || own === null ? 0 : ((values[own] ?? 0) - (values[given] ?? 0)) * unit;
  return {
    deviceId: device.id,
    candidateId: chosen?.candidate.id ?? null,
    predicted: chosen?.predicted ?? null,
    ownBestId: best?.candidate.id ?? null,
    loss,
    reasons: [
      ...reasonsFor(chosen?.candidate.id, best?.candidate.id, excluded, options.length, loss),
      ...cautionOf(device.profile),
    ],
    excluded,
    wouldFit:
      best === undefined
        ? nearestFit(
            options.map(({ candidate, predicted, overruns: broken }) => ({
              ...{ candidateId: candidate.id, predicted, overruns: broken, excluded: true },
            })),
          )
        : null,
  };
}

/** The order of a choice: quality, then fewer soft limits broken, then latency. */
function isBetter(
  a: number,
  b: number,
  options: Prospect['options'],
  values: readonly number[],
): boolean {
  const [one, other] = [options[a], options[b]];
  if (!one || !other) return false;
  const gain = (values[a] ?? 0) - (values[b] ?? 0);
  if (gain !== 0) return gain > 0;
  const kept = other.overruns.length - one.overruns.length;
  return kept !== 0 ? kept > 0 : one.predicted.ms < other.predicted.ms;
}

function reasonsFor(
  given: string | undefined,
  best: string | undefined,
  excluded: Assignment['excluded'],
  count: number,
  loss: number,
): string[] {
  if (best === undefined) return ['no candidate keeps every hard limit'];
  if (given === undefined) {
    return [`${best} would fit, but the plan's bound on variants leaves it out`];
  }
  const reasons = [
    `the best of the ${count - excluded.length} candidates, of ${count}, that keep every hard limit`,
  ];
  if (given !== best)
    reasons[0] = `shares a variant with other devices: ${loss.toFixed(2)} below its own best, ${best}`;
  const nearest = excluded.at(0);
  if (nearest) reasons.push(`${nearest.candidateId} ${exclusionText(nearest.overruns)}`);
  return reasons;
}
