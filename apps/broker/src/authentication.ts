import { deviceIdSchema, isServerName } from '@espalier/protocol';

/** Who is connected. */
export type Identity = { readonly kind: 'server' } | { readonly kind: 'device'; deviceId: string };

/** Why a client is not let in. */
export interface Refusal {
  readonly kind: 'refused';
  readonly code: 'BROKER_NO_IDENTITY' | 'BROKER_OTHER_IDENTITY' | 'BROKER_REVOKED';
}

/** What a client shows on connecting: its certificate's common name is verified, the rest is said. */
export interface Presented {
  readonly commonName: string | undefined;
  readonly clientId: string;
  readonly username: string | undefined;
}

/**
 * Decides who a client is, from its certificate alone. The client id, and the user name if it gives
 * one, must say the same.
 */
export function authenticate(
  { commonName, clientId, username = clientId }: Presented,
  revoked: Pick<ReadonlySet<string>, 'has'>,
): Identity | Refusal {
  const identity = identityOf(commonName);
  if (!identity) return { kind: 'refused', code: 'BROKER_NO_IDENTITY' };
  if (clientId !== commonName || username !== commonName) {
    return { kind: 'refused', code: 'BROKER_OTHER_IDENTITY' };
  }
  if (revoked.has(commonName)) return { kind: 'refused', code: 'BROKER_REVOKED' };
  return identity;
}

function identityOf(commonName = ''): Identity | null {
  if (isServerName(commonName)) return { kind: 'server' };
  return deviceIdSchema.safeParse(commonName).success
    ? { kind: 'device', deviceId: commonName }
    : null;
}
