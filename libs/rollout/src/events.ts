import type { Failure, InstallState } from '@espalier/protocol';
import type { AccuracyNumbers } from './gates/accuracy.js';
import type { DeviceMetric, DeviceShareNumbers } from './gates/device-share.js';
import type { Evidence } from './gates/evidence.js';
import type { FailedShareNumbers } from './gates/failed-share.js';
import type { Member, Previous } from './state.js';

/** Who ordered something, and why; both are kept in the log. */
export interface Order {
  readonly by: string;
  readonly why: string;
}

/** A device's verified report, matched to the order it answers. */
export interface ReportEvent {
  readonly type: 'report';
  readonly deviceId: string;
  /** The attempt whose generation the report names; another one is stale and ignored. */
  readonly attempt: number;
  readonly state: InstallState;
  /** SHA-256 of the bytes that the inference session was created from. */
  readonly loadedSha256: string | null;
  readonly probe: { readonly finite: boolean } | null;
  readonly failure: Failure | null;
}

/** What a person orders. */
export type OrderEvent =
  | ({ readonly type: 'start' | 'pause' | 'resume' | 'promote' | 'approve' } & Order)
  | ({ readonly type: 'abort'; readonly mode: 'keep' | 'revert' } & Order);

export type RolloutEvent =
  | OrderEvent
  | ReportEvent
  /** A device is back: one given up for silent is tried again. */
  | { readonly type: 'hello'; readonly deviceId: string }
  /** A device that came into the selection after the rollout was written. */
  | { readonly type: 'join'; readonly member: Member }
  /** Time passes; with what was measured until now, where a gate asks for it. */
  | { readonly type: 'tick'; readonly evidence?: Evidence };

/** What the shell must do once the new state is stored. */
export type Effect =
  | {
      readonly type: 'send';
      readonly deviceId: string;
      readonly variantId: string;
      readonly attempt: number;
    }
  | {
      readonly type: 'revert';
      readonly deviceId: string;
      readonly to: Previous;
      readonly attempt: number;
    }
  /** Offer the device this rollout's target no longer. */
  | { readonly type: 'withdraw'; readonly deviceId: string };

export type DeviceOutcome = 'retry' | 'failed' | 'quarantined' | 'missing' | 'revert' | 'stranded';

/** A decision and what it rests on. `seq` counts from 1 within the rollout. */
export type Decision = { readonly seq: number; readonly at: number } & DecisionBody;

export type DecisionBody =
  | ({
      readonly rule: 'order';
      readonly outcome: string;
      readonly mode?: 'keep' | 'revert';
    } & Order)
  | { readonly rule: 'open-stage'; readonly stage: number; readonly devices: number }
  | {
      readonly rule: 'failed-share';
      readonly stage: number | null;
      readonly variantId: string | null;
      readonly outcome: 'halt' | 'hold' | 'pass';
      readonly numbers: FailedShareNumbers;
    }
  | {
      readonly rule: 'accuracy';
      readonly stage: number;
      readonly variantId: string;
      readonly outcome: 'halt' | 'hold' | 'pass';
      /** Null: nothing was measured. */
      readonly numbers: AccuracyNumbers | null;
    }
  | {
      readonly rule: DeviceMetric;
      readonly stage: number;
      readonly variantId: string;
      readonly outcome: 'halt' | 'hold' | 'pass';
      readonly numbers: DeviceShareNumbers | null;
    }
  | {
      readonly rule: 'approval';
      readonly stage: number;
      readonly outcome: 'asked' | 'expired';
    }
  | {
      readonly rule: 'join';
      readonly deviceId: string;
      readonly variantId: string;
      readonly stage: number;
    }
  | {
      readonly rule: 'replan';
      readonly deviceId: string;
      readonly from: string;
      readonly to: string;
    }
  | {
      readonly rule: 'soak';
      readonly stage: number;
      readonly outcome: 'done';
      readonly numbers: { readonly soakSeconds: number; readonly watchedSeconds: number };
    }
  | {
      readonly rule: 'device';
      readonly deviceId: string;
      readonly outcome: DeviceOutcome;
      readonly failure: Failure | null;
      readonly numbers: { readonly tries: number; readonly maxAttempts: number };
    }
  | {
      readonly rule: 'end';
      readonly outcome: 'completed' | 'halted' | 'aborted';
      readonly numbers: Readonly<Record<string, number>>;
    };
