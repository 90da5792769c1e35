/** When an alert is raised, and when it is over. */
export interface Thresholds {
  /** Whether large or small values are bad. */
  readonly bad: 'above' | 'below';
  readonly raise: number;
  /** On the good side of `raise`, or equal to it. */
  readonly clear: number;
  /** How long a value must be bad, and then good, before anything is said. */
  readonly forMs: number;
}

/** Where one subject of a rule stands; `since` and times are milliseconds since 1970. */
export type AlertState =
  | { readonly phase: 'quiet' }
  | { readonly phase: 'worsening'; readonly since: number }
  | { readonly phase: 'raised' }
  | { readonly phase: 'recovering'; readonly since: number };

export type AlertChange = 'raised' | 'cleared' | null;

/** Where every alert begins. */
export const QUIET: AlertState = { phase: 'quiet' };

/**
 * Takes the next reading. An alert is raised by values that are bad for long enough, and cleared by
 * values that are good for as long; between the two thresholds nothing changes for the better or the
 * worse. A missing reading neither raises nor clears: no news is not good news, nor bad.
 * @param value null: nothing could be measured
 */
export function nextAlert(
  state: AlertState,
  { bad, raise, clear, forMs }: Thresholds,
  value: number | null,
  now: number,
): { readonly state: AlertState; readonly change: AlertChange } {
  if (value === null) return { state, change: null };
  const isBad = bad === 'above' ? value >= raise : value <= raise;
  const isGood = !isBad && (bad === 'above' ? value <= clear : value >= clear);
  const isOpen = state.phase === 'raised' || state.phase === 'recovering';
  if (!isOpen) {
    if (!isBad) return { state: QUIET, change: null };
    const since = state.phase === 'worsening' ? state.since : now;
    return now - since >= forMs
      ? { state: { phase: 'raised' }, change: 'raised' }
      : { state: { phase: 'worsening', since }, change: null };
  }
  if (!isGood) return { state: { phase: 'raised' }, change: null };
  const since = state.phase === 'recovering' ? state.since : now;
  return now - since >= forMs
    ? { state: QUIET, change: 'cleared' }
    : { state: { phase: 'recovering', since }, change: null };
}
