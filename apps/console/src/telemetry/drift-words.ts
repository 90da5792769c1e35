import { whole } from '../parts/format';
import type { Tone } from '../parts/tone';

/**
 * Evidence, in days in which chance shows so much once, from which on it is called drift, and under
 * which it is nothing: the thresholds that the documents give the alert.
 */
const DRIFT_DAYS = 30;
const QUIET_DAYS = 3;
const MOST_DAYS = 10_000;

export const isDrift = (days: number): boolean => days >= DRIFT_DAYS;

/** What so much evidence is called. */
export function driftState(days: number): { readonly tone: Tone; readonly name: string } {
  if (isDrift(days)) return { tone: 'bad', name: 'drifting' };
  if (days >= QUIET_DAYS) return { tone: 'wait', name: 'perhaps drifting' };
  return { tone: 'good', name: 'steady' };
}

/** How often chance alone would show so much. */
export function chanceText(days: number): string {
  if (days < 1) return 'no more than chance shows every day';
  if (days > MOST_DAYS) return `by chance less than once in ${whole(MOST_DAYS)} days`;
  return `by chance once in ${days < 10 ? days.toFixed(1) : whole(Math.round(days))} days`;
}
