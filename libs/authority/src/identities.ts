import { generateKeyPairSync } from 'node:crypto';
import {
  pemOf,
  type CertificateAuthority,
  type CertificateRequest,
  type Identity,
} from './certificate-authority.js';

/** Names under which an authority is kept in the server's key folder. */
export const AUTHORITY_FILES = { certificate: 'ca.pem', privateKey: 'ca-key.pem' } as const;

/** Names of the files that a broker is started on. */
export const BROKER_FILES = {
  ca: 'ca.pem',
  certificate: 'broker.pem',
  privateKey: 'broker-key.pem',
  revoked: 'revoked.pem',
} as const;

const BROKER_NAME = 'espalier.broker';
const SERVER_LIFETIME_MS = 2 * 365 * 86_400_000;

/**
 * A key and a certificate for a broker, good for two years.
 * @param hosts names and addresses under which it is reached
 * @param now milliseconds since 1970
 */
export const brokerIdentity = (
  authority: CertificateAuthority,
  hosts: readonly string[],
  now: number,
): Promise<Identity> =>
  withKey(
    authority,
    { commonName: BROKER_NAME, use: 'broker', hosts, lifetimeMs: SERVER_LIFETIME_MS },
    now,
  );

/** A key and a certificate for a client that keeps no key of its own, such as the server. */
export const clientIdentity = (
  authority: CertificateAuthority,
  commonName: string,
  now: number,
  lifetimeMs = SERVER_LIFETIME_MS,
): Promise<Identity> => withKey(authority, { commonName, use: 'client', lifetimeMs }, now);

async function withKey(
  authority: CertificateAuthority,
  request: Omit<CertificateRequest, 'publicKey'>,
  now: number,
): Promise<Identity> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { pem } = await authority.issue({ ...request, publicKey }, now);
  return { certificate: pem, privateKey: pemOf(privateKey) };
}
