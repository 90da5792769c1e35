import type { Model } from '@espalier/onnx';
import type { Budget, Profile } from '@espalier/protocol';
import { predictLatency, predictRam } from '@espalier/tuning';
import { bytes, milliseconds, percent } from '../output/figures.js';
import type { ShareLimit } from './fleet.js';

/** Threads that a variant's session has on a device. */
const THREADS = 1;
/** By how much a limit is changed when the first one does not serve. */
const STEP = 0.94;
const MOST_STEPS = 30;

/** What the trained model is predicted to take on a device. */
export interface Need {
  readonly latencyMs: number;
  /** Weights and activations. */
  readonly modelRamBytes: number;
  /** What any session takes beside them. */
  readonly sessionRamBytes: number;
}

/** @param peakRamBytes weights and activations of the trained model */
export function needOf(model: Model, peakRamBytes: number, profile: Profile): Need {
  const { incrementBytes } = predictRam(model, 'fp32', profile);
  return {
    latencyMs: predictLatency(model, 'fp32', profile, { threads: THREADS }).ms,
    modelRamBytes: peakRamBytes,
    sessionRamBytes: Math.max(0, incrementBytes - peakRamBytes),
  };
}

/** The budget that holds a device to a share of the trained model's need. */
export function budgetAt({ of, share }: ShareLimit, need: Need): Budget {
  switch (of) {
    case 'latency':
      return { latencyP95Ms: share * need.latencyMs };
    case 'ram':
      return { peakRamBytes: Math.floor(need.sessionRamBytes + share * need.modelRamBytes) };
    case 'storage':
      return {};
  }
}

/** How a limit was set, for people. */
export function limitText({ of, share }: ShareLimit, need: Need): string {
  switch (of) {
    case 'latency':
      return `latency at most ${milliseconds(share * need.latencyMs)}: ${percent(share, 0)} of the ${milliseconds(need.latencyMs)} predicted for the trained model there`;
    case 'ram':
      return `memory at most ${bytes(need.sessionRamBytes + share * need.modelRamBytes)}: ${percent(share, 0)} of the trained model's ${bytes(need.modelRamBytes)}, beside the ${bytes(need.sessionRamBytes)} of any session`;
    case 'storage':
      return `storage: ${percent(share, 0)} of what the trained model takes to receive, install and keep; the agent itself enforces it`;
  }
}

/** What a device would get under a budget. */
export interface Outcome {
  /** Null: nothing fits. */
  readonly candidateId: string | null;
  /** The widths of that candidate. */
  readonly widths: string | null;
}

/**
 * Finds a limit under which a device takes widths that no other device has: the first share, made
 * smaller while the widths are taken, larger while nothing fits.
 * @param ask what the device would get under a limit
 * @returns the last limit that something fitted
 */
export async function fittingLimit(
  first: ShareLimit,
  taken: ReadonlySet<string>,
  ask: (limit: ShareLimit) => Promise<Outcome>,
): Promise<ShareLimit> {
  let limit = first;
  let fitted: ShareLimit | null = null;
  for (let step = 0; step < MOST_STEPS; step++) {
    const { candidateId, widths } = await ask(limit);
    if (candidateId === null) {
      if (fitted) return fitted;
      limit = { ...limit, share: limit.share / STEP };
      continue;
    }
    fitted = limit;
    if (widths !== null && !taken.has(widths)) return limit;
    limit = { ...limit, share: limit.share * STEP };
  }
  return fitted ?? first;
}
