import type { Failure } from '@espalier/protocol';
import { assignStages } from './assignment.js';
import { RolloutError } from './errors.js';
import { parseSpec, type RolloutSpec, type RolloutSpecInput } from './spec.js';
import { DEVICE_STATUSES, TABLE, type DeviceStatus, type RolloutStatus } from './table.js';

/** What a device ran before, and goes back to. */
export interface Previous {
  readonly releaseId: string;
  readonly variantId: string;
  readonly modelSha256: string;
}

/** One device within a rollout. Times are milliseconds since the epoch. */
export interface DeviceRecord {
  readonly deviceId: string;
  /** What it gets; another one than planned once that was stopped. */
  readonly variantId: string;
  readonly planned: string;
  /** Variants of the release that it could have instead, the safest first. */
  readonly alternatives: readonly string[];
  /** Whether it came after the rollout was written. */
  readonly joined: boolean;
  readonly stage: number;
  readonly status: DeviceStatus;
  /** Counts every order sent, updates and reverts; a report for another one is stale. */
  readonly attempt: number;
  /** Counts updates alone; bounded by the specification's `maxAttempts`. */
  readonly tries: number;
  readonly deadlineAt: number | null;
  readonly retryAt: number | null;
  readonly previous: Previous | null;
  readonly failure: Failure | null;
  /** When it failed lately, in this rollout and before it: too often is quarantine. */
  readonly faultsAt: readonly number[];
  readonly faultsBefore: readonly number[];
  readonly since: number;
}

/** A variant of the release, as far as a rollout needs it. */
export interface RolloutVariant {
  readonly modelSha256: string;
  /** Accuracy that the compression report gives, where there are no controls; null: none known. */
  readonly expectedAccuracy: number | null;
}

/** Everything about a rollout but its devices: small, stored whole. */
export interface RolloutHead {
  readonly id: string;
  readonly spec: RolloutSpec;
  readonly variants: Readonly<Record<string, RolloutVariant>>;
  readonly status: RolloutStatus;
  /** Since when: waiting for a person ends too. */
  readonly statusSince: number;
  readonly startedAt: number | null;
  /** Index of the open stage; -1 before the start. */
  readonly stage: number;
  /** When the open stage passed its gate: its soak runs from here. */
  readonly passedAt: number | null;
  readonly haltedVariants: readonly string[];
  /** Orders of the schedule that were given. */
  readonly scheduled: number;
  /** Devices that may be begun now under the rate limit, and when that was counted. */
  readonly allowance: { readonly devices: number; readonly at: number };
  /** Number of decisions taken. */
  readonly decisions: number;
  readonly createdAt: number;
}

/** Count of devices by `stage/variant/status`. */
export type Tally = ReadonlyMap<string, number>;

/** A rollout, whole. */
export interface RolloutState extends RolloutHead {
  readonly devices: ReadonlyMap<string, DeviceRecord>;
  /** Derived from `devices`; kept so that a report costs the same in a large fleet. */
  readonly tally: Tally;
}

/** A device as it enters a rollout. */
export interface Member {
  readonly deviceId: string;
  readonly variantId: string;
  readonly previous: Previous | null;
  readonly labels?: Readonly<Record<string, string>>;
  readonly alternatives?: readonly string[];
  /** When it failed before this rollout. */
  readonly faultsAt?: readonly number[];
}

/** Under which devices are counted together. */
export const tallyKey = (device: Pick<DeviceRecord, 'stage' | 'variantId' | 'status'>): string =>
  `${device.stage}/${device.variantId}/${device.status}`;

/** A rollout without its devices, as it is stored. */
export function headOf(state: RolloutHead): RolloutHead {
  return {
    id: state.id,
    spec: state.spec,
    variants: state.variants,
    status: state.status,
    statusSince: state.statusSince,
    startedAt: state.startedAt,
    stage: state.stage,
    passedAt: state.passedAt,
    haltedVariants: state.haltedVariants,
    scheduled: state.scheduled,
    allowance: state.allowance,
    decisions: state.decisions,
    createdAt: state.createdAt,
  };
}

/** What a rollout is before anything happened. */
const untouched = (createdAt: number) => ({
  status: TABLE.rollout.initial,
  statusSince: createdAt,
  startedAt: null,
  stage: -1,
  passedAt: null,
  haltedVariants: [],
  scheduled: 0,
  allowance: { devices: 0, at: createdAt },
  decisions: 0,
  createdAt,
});

/** Puts a stored rollout together again. */
export function restoreRollout(head: RolloutHead, devices: Iterable<DeviceRecord>): RolloutState {
  const map = new Map<string, DeviceRecord>();
  const tally = new Map<string, number>();
  for (const device of devices) {
    map.set(device.deviceId, device);
    const key = tallyKey(device);
    tally.set(key, (tally.get(key) ?? 0) + 1);
  }
  return { ...head, devices: map, tally };
}

/** The same rollout as it was written down, from which its recorded events can be replayed. */
export function rewindRollout(state: RolloutState): RolloutState {
  return restoreRollout(
    { ...headOf(state), ...untouched(state.createdAt) },
    [...state.devices.values()]
      .filter(({ joined }) => !joined)
      .map((device) => ({
        ...device,
        ...fresh(state.createdAt),
        variantId: device.planned,
        faultsAt: device.faultsBefore,
      })),
  );
}

/** What a device is before anything was sent to it. */
const fresh = (now: number) => ({
  status: TABLE.device.initial,
  attempt: 0,
  tries: 0,
  deadlineAt: null,
  retryAt: null,
  failure: null,
  since: now,
});

/** A member as a rollout keeps it. */
export function recordOf(
  member: Member,
  stage: number,
  joined: boolean,
  now: number,
): DeviceRecord {
  const { deviceId, variantId, previous, alternatives = [], faultsAt = [] } = member;
  return {
    deviceId,
    variantId,
    planned: variantId,
    alternatives,
    joined,
    stage,
    ...fresh(now),
    previous,
    faultsAt,
    faultsBefore: faultsAt,
  };
}

/** Number of stages that open: those of the specification, and the controls' where they are updated. */
export function stageCount({ spec }: Pick<RolloutHead, 'spec'>): number {
  return spec.stages.length + (spec.control?.release ? 1 : 0);
}

/** Counts the devices of a stage (null: all) and a variant (null: all) by status. */
export function count(
  state: Pick<RolloutState, 'tally'>,
  stage: number | null,
  variantId: string | null,
): Record<DeviceStatus, number> {
  const counts = Object.fromEntries(DEVICE_STATUSES.map((status) => [status, 0])) as Record<
    DeviceStatus,
    number
  >;
  for (const [key, value] of state.tally) {
    const [ofStage, ofVariant, status] = key.split('/');
    if (stage !== null && Number(ofStage) !== stage) continue;
    if (variantId !== null && ofVariant !== variantId) continue;
    counts[status as DeviceStatus] += value;
  }
  return counts;
}

/**
 * A new rollout, nothing sent yet.
 * @param variants each variant that a member may be given
 * @throws RolloutError when it could not do what it says, named by its code
 */
export function createRollout(
  id: string,
  specInput: RolloutSpecInput,
  variants: RolloutHead['variants'],
  members: readonly Member[],
  now: number,
): RolloutState {
  const spec = parseSpec(specInput);
  if (members.length === 0) {
    throw new RolloutError('ROLLOUT_EMPTY', 'No device of the plan has a variant to be given.');
  }
  const byId = new Map(members.map((member) => [member.deviceId, member]));
  if (byId.size !== members.length) {
    throw new RolloutError('ROLLOUT_DEVICE_REPEATED', 'A device is named twice in the plan.');
  }
  for (const { deviceId, variantId, alternatives = [] } of members) {
    const unknown = [variantId, ...alternatives].find((one) => !Object.hasOwn(variants, one));
    if (unknown !== undefined) {
      throw new RolloutError(
        'ROLLOUT_VARIANT_UNKNOWN',
        `${deviceId} is planned to get ${unknown}, which the release does not hold.`,
      );
    }
  }
  const stages = assignStages(
    id,
    members.map(({ deviceId, variantId, labels = {} }) => ({ deviceId, variantId, labels })),
    spec,
  );
  refuseUnreachable(spec, [...stages.values()]);
  const devices: DeviceRecord[] = [];
  for (const [deviceId, stage] of stages) {
    const member = byId.get(deviceId);
    if (member) devices.push(recordOf(member, stage, false, now));
  }
  return restoreRollout({ id, spec, variants, ...untouched(now) }, devices);
}

/** @throws RolloutError ROLLOUT_SAMPLE_UNREACHABLE when a stage is smaller than its sample */
function refuseUnreachable(spec: RolloutSpec, stages: readonly number[]): void {
  const sizes = spec.stages.map((_, stage) => stages.filter((one) => one === stage).length);
  sizes.forEach((size, stage) => {
    if (size > 0 && size < spec.gate.minSample) {
      throw new RolloutError(
        'ROLLOUT_SAMPLE_UNREACHABLE',
        `Stage ${stage + 1} holds too few devices, ${size} of ${stages.length}, for gate.minSample ${spec.gate.minSample}: it could never pass. Lower minSample or widen the stage.`,
      );
    }
  });
}
