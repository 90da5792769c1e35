import { TrustError } from './errors.js';

/**
 * Refuses a document that has expired.
 * @param now milliseconds since 1970; a device gives the later of its clock and the latest time seen
 * @throws TrustError TRUST_EXPIRED
 */
export function assertFresh(
  document: { readonly type: string; readonly expires: string },
  now: number,
): void {
  if (!(Date.parse(document.expires) > now)) {
    throw new TrustError(
      'TRUST_EXPIRED',
      `The ${document.type} document expired at ${document.expires}; it is ${new Date(now).toISOString()}.`,
    );
  }
}

/**
 * Refuses a counter that falls: a version, a generation, an epoch.
 * @param seen the highest value accepted so far
 * @throws TrustError TRUST_ROLLBACK
 */
export function assertNotLower(what: string, seen: number, given: number): void {
  if (given < seen) {
    throw new TrustError('TRUST_ROLLBACK', `The ${what} fell from ${seen} to ${given}.`);
  }
}
