import { X509Certificate } from 'node:crypto';
import {
  membershipSchema,
  renewalSchema,
  type EnrolRequest,
  type Membership,
  type Root,
  type Signed,
} from '@espalier/protocol';
import { preAuthEncoding, sign, verifyThreshold } from './envelope.js';
import { TrustError } from './errors.js';
import {
  keyIdOf,
  publicKeyBase64,
  publicKeyObject,
  signRaw,
  verifyRaw,
  type KeyPair,
} from './keys.js';
import { parseVerified } from './parse.js';
import { keysOfRole } from './roles.js';

const ENROLMENT_TYPE = 'application/vnd.espalier.enrolment.v1+json';
/** How far a device's clock may be off when it asks for another certificate. */
const CLOCK_TOLERANCE_MS = 86_400_000;

/** A request to enrol, with the proof that its sender holds the key. */
export function enrolRequest(
  given: Pick<EnrolRequest, 'token' | 'name' | 'labels'>,
  key: KeyPair,
): EnrolRequest {
  const request = { ...given, publicKey: publicKeyBase64(key) };
  const proof = Buffer.from(signRaw(key, enrolmentBytes(request))).toString('base64');
  return { ...request, proof };
}

/**
 * Checks that whoever asks to enrol holds the private half of the key that they give.
 * @returns the raw public key
 * @throws TrustError TRUST_KEY, TRUST_PROOF
 */
export function verifyEnrolRequest(request: EnrolRequest): Uint8Array {
  const publicKey = Buffer.from(request.publicKey, 'base64');
  if (!verifyRaw(publicKey, enrolmentBytes(request), Buffer.from(request.proof, 'base64'))) {
    throw new TrustError('TRUST_PROOF', 'The request is not signed with the key that it gives.');
  }
  return publicKey;
}

/** A request for another certificate. @param now milliseconds since 1970 */
export const signRenewal = (deviceId: string, key: KeyPair, now: number): Signed =>
  sign('renewal', { type: 'renewal', deviceId, at: new Date(now).toISOString() }, [key]);

/**
 * Checks a device's request for another certificate. One that is repeated within its day gives its
 * holder nothing, since certificates are public and only the device has the key.
 * @param devicePublicKey raw, as enrolled
 * @param now milliseconds since 1970
 * @throws TrustError TRUST_PAYLOAD_TYPE, TRUST_THRESHOLD, TRUST_PAYLOAD, TRUST_PROOF, TRUST_EXPIRED
 */
export function verifyRenewal(
  request: Signed,
  device: { readonly id: string; readonly publicKey: Uint8Array },
  now: number,
): void {
  const keys = new Map([[keyIdOf(device.publicKey), device.publicKey]]);
  const bytes = verifyThreshold(request, 'renewal', keys, 1);
  const { deviceId, at } = parseVerified(bytes, renewalSchema, 'renewal');
  if (deviceId !== device.id) {
    throw new TrustError('TRUST_PROOF', `The request is of device ${deviceId}, not ${device.id}.`);
  }
  if (Math.abs(Date.parse(at) - now) > CLOCK_TOLERANCE_MS) {
    throw new TrustError('TRUST_EXPIRED', `The request is of ${at}; set the device's clock.`);
  }
}

/**
 * Verifies what a server gives a device that joins, and that it is for this device's key.
 * @param root trusted, so that the pin of the claim token covers all of it
 * @param publicKey raw, of this device
 * @throws TrustError TRUST_PAYLOAD_TYPE, TRUST_THRESHOLD, TRUST_PAYLOAD, TRUST_MEMBERSHIP
 */
export function verifyMembership(
  signed: Signed,
  root: Root,
  device: { readonly id: string; readonly publicKey: Uint8Array },
): Membership {
  const { threshold } = root.roles.target;
  const bytes = verifyThreshold(signed, 'membership', keysOfRole(root, 'target'), threshold);
  const membership = parseVerified(bytes, membershipSchema, 'membership');
  const certificate = certificateOf(membership);
  const names = certificate?.toLegacyObject().subject.CN;
  const isOurs = certificate?.publicKey.equals(publicKeyObject(device.publicKey)) ?? false;
  if (membership.deviceId !== device.id || names !== device.id || !isOurs) {
    throw new TrustError(
      'TRUST_MEMBERSHIP',
      `The membership is for ${membership.deviceId} and a certificate of ${String(names)}, not for ${device.id} and its key.`,
    );
  }
  return membership;
}

function certificateOf({ certificate }: Membership): X509Certificate | null {
  try {
    return new X509Certificate(certificate);
  } catch {
    return null;
  }
}

/** What the proof is over: a fixed order, whatever order the request was written in. */
function enrolmentBytes(request: Omit<EnrolRequest, 'proof'>): Uint8Array {
  const labels = Object.entries(request.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([request.token, request.publicKey, request.name, labels]);
  return preAuthEncoding(ENROLMENT_TYPE, Buffer.from(text, 'utf8'));
}
