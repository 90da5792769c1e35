import type { Failure } from '@espalier/protocol';
import type { Decision, DecisionBody, Effect } from './events.js';
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

  haltVariant(variantId: string): void {
    this.head = { ...this.head, haltedVariants: [...this.head.haltedVariants, variantId] };
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
    this.head = { ...this.head, status };
    return true;
  }

  /** Moves a device and changes what else the move brings; false when the table forbids it. */
  moveDevice(
    deviceId: string,
    move: DeviceMove,
    change: Partial<Omit<DeviceRecord, 'deviceId' | 'variantId' | 'stage' | 'status'>> = {},
  ): boolean {
    const before = this.devices.get(deviceId);
    if (!before) return false;
    const status = follow(TABLE.device, before.status, move);
    if (status === null) return false;
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

  decide(body: DecisionBody): void {
    this.head = { ...this.head, decisions: this.head.decisions + 1 };
    this.decisions.push({ seq: this.head.decisions, at: this.now, ...body });
  }

  decideDevice(
    device: DeviceRecord,
    outcome: 'retry' | 'failed' | 'missing' | 'revert' | 'stranded',
    failure: Failure | null,
  ): void {
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
