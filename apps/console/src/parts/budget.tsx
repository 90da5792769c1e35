import type { Budget } from '../api/types';
import { bytes, milliseconds, percent } from './format';

const LIMITS = [
  ['latencyP95Ms', 'latency', (value: number) => `≤ ${milliseconds(value)}`],
  ['peakRamBytes', 'memory', (value: number) => `≤ ${bytes(value)}`],
  ['storageBytes', 'storage', (value: number) => `≤ ${bytes(value)}`],
  ['transferBytes', 'transfer', (value: number) => `≤ ${bytes(value)}`],
  ['minAccuracy', 'accuracy', (value: number) => `≥ ${percent(value)}`],
] as const;

/** The limits of a budget in words, one each. */
export function limitsOf(budget: Budget): string[] {
  return LIMITS.flatMap(([key, name, text]) => {
    const value = budget[key];
    if (value === undefined) return [];
    return [`${name} ${text(value)}${budget.soft?.includes(key) ? ' (a wish)' : ''}`];
  });
}

/** A budget in words. */
export function BudgetText({ budget }: { budget: Budget }) {
  const limits = limitsOf(budget);
  return (
    <span>{limits.length === 0 ? <span className="soft">no limit</span> : limits.join(', ')}</span>
  );
}
