import { assertSignedManifest, DeliveryError } from '@espalier/delivery';
import {
  isSettled,
  type Failure,
  type Root,
  type TargetMessage,
  type Variant,
} from '@espalier/protocol';
import {
  assertCurrent,
  authenticateTarget,
  TrustError,
  type AuthenticTarget,
  type Known,
} from '@espalier/trust';
import { failureOf } from '../errors.js';
import type { AgentState, Install } from '../store/agent-state.js';
import { spareSlot } from './slots.js';

/** What an offered target leads to. */
export type Intake =
  /** Not authentic, another device's, or older than the present one: as if it had not come. */
  | { readonly kind: 'dropped'; readonly failure: Failure }
  /** The present target again. */
  | { readonly kind: 'known'; readonly settled: boolean; readonly changes: Partial<AgentState> }
  /** A new one, accepted or refused. */
  | { readonly kind: 'new'; readonly install: Install; readonly changes: Partial<AgentState> };

/** What the device knows besides its state. */
export interface IntakeContext {
  readonly deviceId: string;
  readonly root: Root;
  /** The clock, milliseconds since 1970. */
  readonly clockMs: number;
  /** Why a variant does not fit the device, or null. */
  overBudget(variant: Variant): Failure | null;
}

/** Decides about an offered target, and what of the state it changes. */
export function takeTarget(
  message: TargetMessage,
  state: AgentState,
  context: IntakeContext,
): Intake {
  const nowMs = Math.max(context.clockMs, state.latestTimeMs);
  const { deviceId, root } = context;
  const { generation, epoch, timestampVersion } = state;
  const known = { deviceId, root, generation, epoch, timestampVersion, nowMs };
  let authentic: AuthenticTarget;
  try {
    authentic = authenticateTarget(message, known);
    assertSignedManifest(message.manifest, authentic.variant.artifact);
  } catch (error) {
    if (!(error instanceof TrustError || error instanceof DeliveryError)) throw error;
    return { kind: 'dropped', failure: { code: error.code, message: error.message } };
  }
  const unfit = unfitness(authentic, known);
  const { install } = state;
  const changes = raised(message, authentic, known, state);
  const isKnown = install?.generation === authentic.target.generation;
  if (isKnown && (install.state !== 'refused' || unfit)) {
    return {
      kind: 'known',
      settled: isSettled(install.state),
      changes: unfit ? {} : changes,
    };
  }
  const failure = unfit ?? context.overBudget(authentic.variant);
  return { kind: 'new', changes, install: installOf(authentic, state, failure) };
}

/** Why an authentic target is refused as it is, or null. */
function unfitness(authentic: AuthenticTarget, known: Known): Failure | null {
  try {
    assertCurrent(authentic, known);
    return null;
  } catch (error) {
    return failureOf(error);
  }
}

/** The counters that the documents raise; an expired or older document raises none of its own. */
function raised(
  message: TargetMessage,
  { target, timestamp }: AuthenticTarget,
  known: Known,
  state: AgentState,
): Partial<AgentState> {
  return {
    root: message.root,
    generation: target.generation,
    epoch: Math.max(known.epoch, target.epoch),
    timestampVersion: Math.max(known.timestampVersion, timestamp.version),
    latestTimeMs: Math.max(state.latestTimeMs, Date.parse(timestamp.issued)),
  };
}

function installOf(
  { target, variant }: AuthenticTarget,
  state: AgentState,
  failure: Failure | null,
): Install {
  return {
    generation: target.generation,
    releaseId: target.releaseId,
    variant,
    slot: spareSlot(state),
    state: failure ? 'refused' : 'accepted',
    loadedSha256: null,
    probe: null,
    failure,
    receivedBytes: 0,
  };
}

/** Whether changes raise one of the counters that never fall. */
export const rises = (state: AgentState, changes: Partial<AgentState>): boolean =>
  (['epoch', 'timestampVersion', 'latestTimeMs'] as const).some(
    (counter) => (changes[counter] ?? 0) > state[counter],
  );
