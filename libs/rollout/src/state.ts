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
  readonly variantId: string;
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
  readonly since: number;
}

/** Everything about a rollout but its devices: small, stored whole. */
export interface RolloutHead {
  readonly id: string;
  readonly spec: RolloutSpec;
  readonly variants: Readonly<Record<string, { readonly modelSha256: string }>>;
  readonly status: RolloutStatus;
  /** Index of the open stage; -1 before the start. */
  readonly stage: number;
  /** When the open stage passed its gate: its soak runs from here. */
  readonly passedAt: number | null;
  readonly haltedVariants: readonly string[];
  /** Number of decisions taken. */
  readonly decisions: number;
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
}

export const tallyKey = (device: Pick<DeviceRecord, 'stage' | 'variantId' | 'status'>): string =>
  `${device.stage}/${device.variantId}/${device.status}`;

/** A rollout without its devices, as it is stored. */
export function headOf(state: RolloutState): RolloutHead {
  const { id, spec, variants, status, stage, passedAt, haltedVariants, decisions } = state;
  return { id, spec, variants, status, stage, passedAt, haltedVariants, decisions };
}

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
  const head = headOf(state);
  return restoreRollout(
    {
      ...head,
      status: TABLE.rollout.initial,
      stage: -1,
      passedAt: null,
      haltedVariants: [],
      decisions: 0,
    },
    [...state.devices.values()].map((device) => ({
      ...device,
      status: TABLE.device.initial,
      attempt: 0,
      tries: 0,
      deadlineAt: null,
      retryAt: null,
      failure: null,
    })),
  );
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
 * @param variants model hash of each variant that a member may be given
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
  const stages = assignStages(
    id,
    members.map((member) => member.deviceId),
    spec.stages.map((stage) => stage.percent),
  );
  if (stages.size !== members.length) {
    throw new RolloutError('ROLLOUT_DEVICE_REPEATED', 'A device is named twice in the plan.');
  }
  for (const member of members) {
    if (!Object.hasOwn(variants, member.variantId)) {
      throw new RolloutError(
        'ROLLOUT_VARIANT_UNKNOWN',
        `${member.deviceId} is planned to get ${member.variantId}, which the release does not hold.`,
      );
    }
  }
  const sizes = spec.stages.map(() => 0);
  for (const stage of stages.values()) sizes[stage] = (sizes[stage] ?? 0) + 1;
  sizes.forEach((size, stage) => {
    if (size > 0 && size < spec.gate.minSample) {
      throw new RolloutError(
        'ROLLOUT_SAMPLE_UNREACHABLE',
        `Stage ${stage + 1} holds ${size} of ${members.length} devices and gate.minSample is ${spec.gate.minSample}: it could never pass. Lower minSample or widen the stage.`,
      );
    }
  });
  const byId = new Map(members.map((member) => [member.deviceId, member]));
  const devices: DeviceRecord[] = [];
  for (const [deviceId, stage] of stages) {
    const member = byId.get(deviceId);
    if (!member) continue;
    devices.push({
      ...member,
      stage,
      status: TABLE.device.initial,
      attempt: 0,
      tries: 0,
      deadlineAt: null,
      retryAt: null,
      failure: null,
      since: now,
    });
  }
  return restoreRollout(
    {
      id,
      spec,
      variants,
      status: TABLE.rollout.initial,
      stage: -1,
      passedAt: null,
      haltedVariants: [],
      decisions: 0,
    },
    devices,
  );
}
