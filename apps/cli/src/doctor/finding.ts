/** What one check found. */
export interface Finding {
  /** The check's name, which stays. */
  readonly check: string;
  readonly state: 'good' | 'bad';
  /** What is so. */
  readonly found: string;
  /** What to do about it; null where all is well. */
  readonly mend: string | null;
}

/** A check that found nothing wrong. */
export const good = (check: string, found: string): Finding => ({
  ...{ check, found },
  state: 'good',
  mend: null,
});

/** A check that found something wrong. @param mend what to do about it */
export const bad = (check: string, found: string, mend: string): Finding => ({
  ...{ check, found, mend },
  state: 'bad',
});

/** A message of whatever was thrown, with the system's code where it has one. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error) return reasonOf(cause);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  return code !== null && !error.message.includes(code)
    ? `${code}: ${error.message}`
    : error.message || (code ?? error.name);
}
