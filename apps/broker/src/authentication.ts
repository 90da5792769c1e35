import { createHash, timingSafeEqual } from 'node:crypto';
import { TrustError, verifyCredential } from '@espalier/trust';
import type { Revocations } from './revocations.js';

/** Who is connected. */
export type Identity = { readonly kind: 'server' } | { readonly kind: 'device'; deviceId: string };

/** Whom to let in. */
export interface Gate {
  readonly credentialKey: Uint8Array;
  readonly serverUser: string;
  readonly serverSecret: string;
  readonly revocations: Revocations;
}

/** What a client shows on connecting. */
export interface Presented {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
}

/**
 * Decides who a client is. The server shows its secret; a device shows a credential that names it,
 * with its device id as user name and client id.
 * @param now milliseconds since 1970
 * @returns the identity, or why there is none
 */
export function authenticate(
  gate: Gate,
  presented: Presented,
  now: number,
): Identity | { readonly kind: 'refused'; readonly reason: string } {
  const password = Buffer.from(presented.password ?? new Uint8Array()).toString('utf8');
  if (presented.username === gate.serverUser) {
    return sameSecret(password, gate.serverSecret)
      ? { kind: 'server' }
      : { kind: 'refused', reason: 'wrong server secret' };
  }
  try {
    const credential = verifyCredential(password, gate.credentialKey, now);
    if (presented.username !== credential.deviceId || presented.clientId !== credential.deviceId) {
      return { kind: 'refused', reason: 'the credential is another device’s' };
    }
    if (gate.revocations.covers(credential)) return { kind: 'refused', reason: 'revoked' };
    return { kind: 'device', deviceId: credential.deviceId };
  } catch (error) {
    if (error instanceof TrustError) return { kind: 'refused', reason: error.code };
    throw error;
  }
}

/** Compares digests, so that the time taken says nothing of either text. */
function sameSecret(given: string, kept: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(kept));
}
