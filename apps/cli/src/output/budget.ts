import type { Budget } from '@espalier/protocol';
import { bytes, milliseconds, percent } from './figures.js';

/** A budget in a few words. */
export function budgetText(budget: Budget): string {
  const { latencyP95Ms, peakRamBytes, storageBytes, transferBytes, minAccuracy, soft } = budget;
  const limits = [
    latencyP95Ms === undefined ? null : `latency ${milliseconds(latencyP95Ms)}`,
    peakRamBytes === undefined ? null : `RAM ${bytes(peakRamBytes)}`,
    storageBytes === undefined ? null : `storage ${bytes(storageBytes)}`,
    transferBytes === undefined ? null : `transfer ${bytes(transferBytes)}`,
    minAccuracy === undefined ? null : `accuracy at least ${percent(minAccuracy)}`,
  ].filter((limit) => limit !== null);
  const wishes = soft?.length ? ` (wishes only: ${soft.join(', ')})` : '';
  return limits.length === 0 ? 'no limit' : `${limits.join(', ')}${wishes}`;
}
