import type { Role, Signed } from '@espalier/protocol';
import { TrustError } from './errors.js';
import { keyIdOf, signRaw, verifyRaw, type KeyPair } from './keys.js';

/** Kinds of document that are signed: the four roles, how a device joins, and what it says. */
export type DocumentKind = Role | 'membership' | 'renewal' | 'report';

/** The payload type of a document; part of what is signed, so that no kind passes for another. */
export const payloadTypeOf = (kind: DocumentKind): string =>
  `application/vnd.espalier.${kind}.v1+json`;

/**
 * The bytes that a signature is taken over: payload type and payload, each with its length before
 * it. Source: the pre-authentication encoding of DSSE 1.0 (Dead Simple Signing Envelope).
 */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const typeBytes = Buffer.from(payloadType, 'utf8');
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${typeBytes.byteLength} `),
    typeBytes,
    Buffer.from(` ${payload.byteLength} `),
    payload,
  ]);
}

/** Signs a document with one or more keys; the payload is its JSON. */
export function sign(
  kind: DocumentKind,
  document: object,
  keys: readonly [KeyPair, ...KeyPair[]],
): Signed {
  const payload = Buffer.from(JSON.stringify(document), 'utf8');
  const [first, ...rest] = keys;
  const unsigned = { payloadType: payloadTypeOf(kind), payload: payload.toString('base64') };
  return rest.reduce(addSignature, { ...unsigned, signatures: [signatureOf(unsigned, first)] });
}

/** The same document with one signature more; a key signs once. */
export function addSignature(signed: Signed, key: KeyPair): Signed {
  const others = signed.signatures.filter(({ keyid }) => keyid !== key.keyId);
  return { ...signed, signatures: [...others, signatureOf(signed, key)] };
}

/** The payload's bytes, as signed. Trust nothing in them before a verification. */
export function payloadBytes(signed: Signed): Uint8Array {
  return Buffer.from(signed.payload, 'base64');
}

/**
 * Checks the payload's type and that at least `threshold` different keys of `keys` signed it.
 * @param keys raw public keys by key id; a key that does not hash to its id is not counted
 * @returns the payload's bytes
 * @throws TrustError TRUST_PAYLOAD_TYPE, TRUST_THRESHOLD
 */
export function verifyThreshold(
  signed: Signed,
  kind: DocumentKind,
  keys: ReadonlyMap<string, Uint8Array>,
  threshold: number,
): Uint8Array {
  if (signed.payloadType !== payloadTypeOf(kind)) {
    throw new TrustError(
      'TRUST_PAYLOAD_TYPE',
      `A ${kind} document has payload type ${payloadTypeOf(kind)}, not ${signed.payloadType}.`,
    );
  }
  const good = signersOf(signed, keys);
  if (good.size < threshold || good.size === 0) {
    throw new TrustError(
      'TRUST_THRESHOLD',
      `The ${kind} document has ${good.size} valid signatures of trusted keys; ${threshold} are needed.`,
    );
  }
  return payloadBytes(signed);
}

/**
 * Ids of the keys, of those given, whose signatures hold; a key that does not hash to its id is not counted.
 * @param keys raw public keys by key id
 */
export function signersOf(
  signed: Signed,
  keys: ReadonlyMap<string, Uint8Array>,
): ReadonlySet<string> {
  const bytes = preAuthEncoding(signed.payloadType, payloadBytes(signed));
  const good = new Set<string>();
  for (const { keyid, sig } of signed.signatures) {
    const key = keys.get(keyid);
    if (!key || good.has(keyid) || keyIdOf(key) !== keyid) continue;
    if (verifyRaw(key, bytes, Buffer.from(sig, 'base64'))) good.add(keyid);
  }
  return good;
}

function signatureOf(
  document: { payloadType: string; payload: string },
  key: KeyPair,
): Signed['signatures'][number] {
  const bytes = preAuthEncoding(document.payloadType, Buffer.from(document.payload, 'base64'));
  return { keyid: key.keyId, sig: Buffer.from(signRaw(key, bytes)).toString('base64') };
}
