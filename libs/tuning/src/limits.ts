import type { Budget, BudgetLimit, Profile } from '@espalier/protocol';
import type { Candidate } from './candidate.js';

/** What a candidate is predicted to cost on one device. */
export interface Estimate {
  /** Median latency of one inference and the interval it is expected in, milliseconds. */
  readonly ms: number;
  readonly low: number;
  readonly high: number;
  /** Increment of the resident set over the runtime without a model, bytes. */
  readonly ramBytes: number;
  /** Free storage needed while it is installed beside the previous model, bytes. */
  readonly storageBytes: number;
  /** Bytes to send. */
  readonly transferBytes: number;
}

/** One limit that a candidate breaks. */
export interface Overrun {
  readonly limit: BudgetLimit;
  /** What the candidate needs (or, of accuracy, reaches). */
  readonly needed: number;
  readonly allowed: number;
  /** The budget's own figure, or what the device physically has. */
  readonly setBy: 'budget' | 'device';
  readonly hard: boolean;
}

/** A device's limits after budget and hardware are taken together; infinite: no limit. */
export interface Allowance {
  readonly latencyMs: number;
  readonly ramBytes: number;
  /** What the hardware has of it. */
  readonly machineRamBytes: number;
  readonly storageBytes: number;
  readonly machineStorageBytes: number;
  readonly transferBytes: number;
  readonly minAccuracy: number;
  readonly soft: ReadonlySet<BudgetLimit>;
}

/** The tighter of the budget and the hardware, for each limit. The hardware's limits are always hard. */
export function allowance(profile: Profile, budget: Budget): Allowance {
  const soft = new Set<BudgetLimit>(budget.soft ?? []);
  const machineRam = Math.max(0, profile.memory.limitBytes - profile.memory.runtimeBytes);
  const machineStorage = profile.storage.limitBytes;
  const ram = soft.has('peakRamBytes') ? Infinity : (budget.peakRamBytes ?? Infinity);
  const storage = soft.has('storageBytes') ? Infinity : (budget.storageBytes ?? Infinity);
  return {
    latencyMs: budget.latencyP95Ms ?? Infinity,
    ramBytes: Math.min(ram, machineRam),
    machineRamBytes: machineRam,
    storageBytes: Math.min(storage, machineStorage),
    machineStorageBytes: machineStorage,
    transferBytes: budget.transferBytes ?? Infinity,
    minAccuracy: budget.minAccuracy ?? 0,
    soft,
  };
}

/** Whether a candidate keeps every hard limit; the fast form of {@link overruns}. */
export function fits(candidate: Candidate, estimate: Estimate, allowed: Allowance): boolean {
  const { soft } = allowed;
  return (
    (estimate.high <= allowed.latencyMs || soft.has('latencyP95Ms')) &&
    estimate.ramBytes <= allowed.ramBytes &&
    estimate.storageBytes <= allowed.storageBytes &&
    (estimate.transferBytes <= allowed.transferBytes || soft.has('transferBytes')) &&
    (accuracyKept(candidate, allowed.minAccuracy) || soft.has('minAccuracy'))
  );
}

/** Every limit that a candidate breaks on a device, hard and soft. Latency is judged by the interval's upper end. */
export function overruns(
  candidate: Candidate,
  estimate: Estimate,
  allowed: Allowance,
  budget: Budget,
): Overrun[] {
  const found: Overrun[] = [];
  const { soft } = allowed;
  const add = (
    limit: BudgetLimit,
    needed: number,
    most: number,
    setBy: Overrun['setBy'],
    hard: boolean,
  ) => {
    if (needed > most) found.push({ limit, needed, allowed: most, setBy, hard });
  };
  add('latencyP95Ms', estimate.high, allowed.latencyMs, 'budget', !soft.has('latencyP95Ms'));
  // Where neither allows it, it is the hardware that a budget could not help.
  const addOwned = (limit: BudgetLimit, needed: number, most: number, machine: number) => {
    if (needed > machine) add(limit, needed, machine, 'device', true);
    else add(limit, needed, most, 'budget', true);
  };
  addOwned('peakRamBytes', estimate.ramBytes, allowed.ramBytes, allowed.machineRamBytes);
  addOwned(
    'storageBytes',
    estimate.storageBytes,
    allowed.storageBytes,
    allowed.machineStorageBytes,
  );
  add(
    'transferBytes',
    estimate.transferBytes,
    allowed.transferBytes,
    'budget',
    !soft.has('transferBytes'),
  );
  if (soft.has('peakRamBytes') && estimate.ramBytes <= allowed.ramBytes) {
    add('peakRamBytes', estimate.ramBytes, budget.peakRamBytes ?? Infinity, 'budget', false);
  }
  if (soft.has('storageBytes') && estimate.storageBytes <= allowed.storageBytes) {
    add('storageBytes', estimate.storageBytes, budget.storageBytes ?? Infinity, 'budget', false);
  }
  if (!accuracyKept(candidate, allowed.minAccuracy)) {
    found.push({
      limit: 'minAccuracy',
      needed: candidate.accuracy ?? 0,
      allowed: allowed.minAccuracy,
      setBy: 'budget',
      hard: !soft.has('minAccuracy'),
    });
  }
  return found;
}

/** One overrun in words, with its figures. */
export function overrunText(overrun: Overrun): string {
  const { limit, needed, allowed } = overrun;
  const by = overrun.setBy === 'device' ? 'the device has' : 'the budget allows';
  switch (limit) {
    case 'latencyP95Ms':
      return `needs up to ${milliseconds(needed)}, ${by} ${milliseconds(allowed)}`;
    case 'peakRamBytes':
      return `needs ${size(needed)} of memory, ${by} ${size(allowed)}`;
    case 'storageBytes':
      return `needs ${size(needed)} of storage, ${by} ${size(allowed)}`;
    case 'transferBytes':
      return `sends ${size(needed)}, ${by} ${size(allowed)}`;
    case 'minAccuracy':
      return `reaches an accuracy of ${percent(needed)}, the budget asks for ${percent(allowed)}`;
  }
}

function accuracyKept(candidate: Candidate, least: number): boolean {
  return least <= 0 || (candidate.accuracy !== null && candidate.accuracy >= least);
}

const milliseconds = (ms: number) => `${ms < 10 ? ms.toFixed(3) : ms.toFixed(1)} ms`;
const size = (bytes: number) =>
  bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(2)} MiB`;
const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
