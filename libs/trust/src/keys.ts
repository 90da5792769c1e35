import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
  verify as verifyBytes,
  type KeyObject,
} from 'node:crypto';
import { TrustError } from './errors.js';

const RAW_PUBLIC_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** DER header of an Ed25519 SubjectPublicKeyInfo (RFC 8410); the raw key follows it. */
const SPKI_HEADER = Buffer.from('302a300506032b6570032100', 'hex');

/** An Ed25519 key pair. `publicKey` is raw (32 bytes); `keyId` is its lower-case hex SHA-256. */
export interface KeyPair {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
}

/** The id of a raw Ed25519 public key: its lower-case hex SHA-256. */
export function keyIdOf(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex');
}

/** Makes a new Ed25519 key pair from the operating system's randomness. */
export function generateKeyPair(): KeyPair {
  return pairOf(generateKeyPairSync('ed25519').privateKey);
}

/**
 * Reads a private key in PKCS #8 PEM, as {@link privateKeyPem} writes it.
 * @throws TrustError TRUST_KEY
 */
export function keyPairFromPem(pem: string): KeyPair {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch (cause) {
    throw new TrustError('TRUST_KEY', 'The private key is not a PKCS #8 PEM document.', { cause });
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    throw new TrustError(
      'TRUST_KEY',
      `The private key is of type ${privateKey.asymmetricKeyType ?? 'unknown'}; Ed25519 is needed.`,
    );
  }
  return pairOf(privateKey);
}

/** The private key as PKCS #8 PEM. Keep it where only its owner can read it. */
export function privateKeyPem(pair: KeyPair): string {
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Base64 of the raw public key, as root metadata and enrolment carry it. */
export function publicKeyBase64(pair: Pick<KeyPair, 'publicKey'>): string {
  return Buffer.from(pair.publicKey).toString('base64');
}

/** Signs bytes; the answer has 64 bytes. */
export function signRaw(pair: KeyPair, bytes: Uint8Array): Uint8Array {
  return signBytes(null, bytes, pair.privateKey);
}

/**
 * Whether `signature` (64 bytes) is the raw public key's over `bytes`.
 * @throws TrustError TRUST_KEY when the key is no Ed25519 public key
 */
export function verifyRaw(
  publicKey: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.byteLength !== SIGNATURE_BYTES) return false;
  return verifyBytes(null, bytes, publicKeyObject(publicKey), signature);
}

/** A raw Ed25519 public key as Node's own. @throws TrustError TRUST_KEY */
export function publicKeyObject(raw: Uint8Array): KeyObject {
  if (raw.byteLength !== RAW_PUBLIC_BYTES) {
    throw new TrustError(
      'TRUST_KEY',
      `An Ed25519 public key has ${RAW_PUBLIC_BYTES} bytes, not ${raw.byteLength}.`,
    );
  }
  return createPublicKey({ key: Buffer.concat([SPKI_HEADER, raw]), format: 'der', type: 'spki' });
}

function pairOf(privateKey: KeyObject): KeyPair {
  const der = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const publicKey = new Uint8Array(der.subarray(der.byteLength - RAW_PUBLIC_BYTES));
  return { keyId: keyIdOf(publicKey), publicKey, privateKey };
}
