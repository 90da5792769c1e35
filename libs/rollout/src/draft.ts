import type { Failure } from '@espalier/protocol';
import type { Decision, DecisionBody, DeviceOutcome, Effect } from './events.js';
import type { Evidence } from './gates/evidence.js';
import {
  count,
  headOf,
  tallyKey,
  type DeviceRecord,
  type RolloutHead,
  type RolloutState,
} from './state.js';
import {
  follow,
  TABLE,
  type DeviceMove,
  type DeviceStatus,
  type RolloutMove,
  type RolloutStatus,
} from './table.js';

/** A working copy of a rollout during one step: every change of status goes through the table. */
export class Draft {
  readonly effects: Effect[] = [];
  readonly decisions: Decision[] = [];
  /** Devices whose record is another one now. */
  readonly changed = new Set<string>();
  private head: RolloutHead;
  private readonly devices: Map<string, DeviceRecord>;
  private readonly tally: Map<string, number>;

  constructor(
    state: RolloutState,
    readonly now: number,
    /** What was measured until now, where the event brings it. */
    readonly evidence: Evidence | null = null,
  ) {
    this.head = headOf(state);
    this.devices = new Map(state.devices);
    this.tally = new Map(state.tally);
  }

  get state(): RolloutState {
    return { ...this.head, devices: this.devices, tally: this.tally };
  }

  get status(): RolloutStatus {
    return this.head.status;
  }

  get stage(): number {
    return this.head.stage;
  }

  get passedAt(): number | null {
    return this.head.passedAt;
  }

  get statusSince(): number {
    return this.head.statusSince;
  }

  get scheduled(): number {
    return this.head.scheduled;
  }

  get id(): string {
    return this.head.id;
  }

  get spec(): RolloutHead['spec'] {
    return this.head.spec;
  }

  get variants(): RolloutHead['variants'] {
    return this.head.variants;
  }

  device(deviceId: string): DeviceRecord | undefined {
    return this.devices.get(deviceId);
  }

  all(): readonly DeviceRecord[] {
    return [...this.devices.values()];
  }

  counts(stage: number | null, variantId: string | null): Record<DeviceStatus, number> {
    return count({ tally: this.tally }, stage, variantId);
  }

  isHalted(variantId: string): boolean {
    return this.head.haltedVariants.includes(variantId);
  }

  get anyHalted(): boolean {
    return this.head.haltedVariants.length > 0;
  }

  haltVariant(variantId: string): void {
    this.head = { ...this.head, haltedVariants: [...this.head.haltedVariants, variantId] };
  }

  markStarted(): void {
    this.head = { ...this.head, startedAt: this.now };
  }

  markScheduled(): void {
    this.head = { ...this.head, scheduled: this.head.scheduled + 1 };
  }

  /** Takes one device out of the rate limit's allowance; false when there is none now. */
  spendAllowance(): boolean {
    const { maxPerMinute } = this.head.spec;
    if (maxPerMinute === undefined) return true;
    const { devices, at } = this.head.allowance;
    const most = Math.max(1, maxPerMinute / 10);
    const grown = Math.min(most, devices + ((this.now - at) * maxPerMinute) / 60_000);
    // A tenth of nothing is a rounding error, not a device.
    if (grown < 1 - 1e-9) return false;
    this.head = { ...this.head, allowance: { devices: grown - 1, at: this.now } };
    return true;
  }

  openStage(stage: number): void {
    this.head = { ...this.head, stage, passedAt: null };
  }

  markPassed(passedAt: number | null): void {
    this.head = { ...this.head, passedAt };
  }

  /** Moves the rollout; false, and nothing done, when the table does not know the move. */
  move(move: RolloutMove): boolean {
    const status = follow(TABLE.rollout, this.head.status, move);
    if (status === null) return false;
    this.head = { ...this.head, status, statusSince: this.now };
    return true;
  }

  /** Moves a device and changes what else the move brings; false when the table forbids it. */
  moveDevice(
    deviceId: string,
    move: DeviceMove,
    change: Partial<Omit<DeviceRecord, 'deviceId' | 'stage' | 'status'>> = {},
  ): boolean {
    const before = this.devices.get(deviceId);
    if (!before) return false;
    const status = follow(TABLE.device, before.status, move);
    if (status === null) return false;
    // As when a device at work says once more that it works: nothing to store.
    if (status === before.status && Object.keys(change).length === 0) return true;
    const after: DeviceRecord = {
      ...before,
      ...change,
      status,
      since: status === before.status ? before.since : this.now,
    };
    this.devices.set(deviceId, after);
    this.changed.add(deviceId);
    this.add(before, -1);
    this.add(after, 1);
    return true;
  }

  /** Adds a device that joins. */
  join(device: DeviceRecord): void {
    this.devices.set(device.deviceId, device);
    this.changed.add(device.deviceId);
    this.add(device, 1);
  }

  decide(body: DecisionBody): void {
    this.head = { ...this.head, decisions: this.head.decisions + 1 };
    this.decisions.push({ seq: this.head.decisions, at: this.now, ...body });
  }

  decideDevice(device: DeviceRecord, outcome: DeviceOutcome, failure: Failure | null): void {
    this.decide({
      rule: 'device',
      deviceId: device.deviceId,
      outcome,
      failure,
      numbers: { tries: device.tries, maxAttempts: this.spec.maxAttempts },
    });
  }

  private add(device: DeviceRecord, by: number): void {
    const key = tallyKey(device);
    const value = (this.tally.get(key) ?? 0) + by;
    if (value === 0) this.tally.delete(key);
    else this.tally.set(key, value);
  }
}
