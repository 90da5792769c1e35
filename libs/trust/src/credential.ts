import { counterSchema, deviceIdSchema, instantSchema } from '@espalier/protocol';
import { z } from 'zod';
import { preAuthEncoding } from './envelope.js';
import { TrustError } from './errors.js';
import { signRaw, verifyRaw, type KeyPair } from './keys.js';
import { parseVerified } from './parse.js';

const PREFIX = 'esc1';
const PAYLOAD_TYPE = 'application/vnd.espalier.credential.v1+json';
const LARGEST = 4096;

const credentialSchema = z.object({
  deviceId: deviceIdSchema,
  /** Milliseconds since 1970; a revocation names the time before which credentials are void. */
  issuedAtMs: counterSchema,
  expires: instantSchema,
});

/** Who may connect as which device, and until when. */
export type Credential = z.infer<typeof credentialSchema>;

/** Issues an MQTT password for one device, signed by the server's online key. */
export function issueCredential(credential: Credential, onlineKey: KeyPair): string {
  const payload = Buffer.from(JSON.stringify(credential), 'utf8');
  const signature = signRaw(onlineKey, preAuthEncoding(PAYLOAD_TYPE, payload));
  return `${PREFIX}.${payload.toString('base64url')}.${Buffer.from(signature).toString('base64url')}`;
}

/**
 * Verifies an MQTT password with the online public key alone, then parses it.
 * @param onlinePublicKey raw, 32 bytes
 * @param now milliseconds since 1970
 * @throws TrustError TRUST_CREDENTIAL, TRUST_EXPIRED, TRUST_PAYLOAD; no message repeats the password
 */
export function verifyCredential(
  text: string,
  onlinePublicKey: Uint8Array,
  now: number,
): Credential {
  const [prefix, payloadText, signatureText, ...rest] = text.slice(0, LARGEST + 1).split('.');
  if (text.length > LARGEST || prefix !== PREFIX || !payloadText || !signatureText || rest.length) {
    throw new TrustError('TRUST_CREDENTIAL', 'The password is not a device credential.');
  }
  const payload = Buffer.from(payloadText, 'base64url');
  const signature = Buffer.from(signatureText, 'base64url');
  if (!verifyRaw(onlinePublicKey, preAuthEncoding(PAYLOAD_TYPE, payload), signature)) {
    throw new TrustError('TRUST_CREDENTIAL', 'The credential is not signed by this server.');
  }
  const credential = parseVerified(payload, credentialSchema, 'credential');
  if (!(Date.parse(credential.expires) > now)) {
    throw new TrustError('TRUST_EXPIRED', `The credential expired at ${credential.expires}.`);
  }
  return credential;
}
