import { createHash } from 'node:crypto';
import { LIMITS, manifestBytes, type Manifest, type Variant } from '@espalier/protocol';
import { DeliveryError } from './errors.js';

/** Lower-case hex SHA-256. */
export const sha256 = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

/**
 * Cuts an artifact into chunks, all of `chunkSize` bytes but the last.
 * @param bytes the artifact, at least one byte
 * @throws DeliveryError DELIVERY_MANIFEST when it is empty or needs more chunks than the protocol allows
 */
export function manifestOf(bytes: Uint8Array, chunkSize: number = LIMITS.chunkBytes): Manifest {
  const chunks: string[] = [];
  for (let at = 0; at < bytes.byteLength; at += chunkSize) {
    chunks.push(sha256(bytes.subarray(at, at + chunkSize)));
  }
  const manifest = { sha256: sha256(bytes), length: bytes.byteLength, chunkSize, chunks };
  assertManifest(manifest);
  return manifest;
}

/** SHA-256 of the manifest's canonical bytes, as a release names it. */
export const manifestSha256 = (manifest: Manifest): string => sha256(manifestBytes(manifest));

/**
 * Refuses a manifest whose chunk count does not follow from its length.
 * @throws DeliveryError DELIVERY_MANIFEST
 */
export function assertManifest(manifest: Manifest): void {
  const { length, chunkSize, chunks } = manifest;
  const needed = Math.ceil(length / chunkSize);
  if (needed < 1 || needed > LIMITS.chunksPerArtifact || chunks.length !== needed) {
    throw new DeliveryError(
      'DELIVERY_MANIFEST',
      `${length} bytes in chunks of ${chunkSize} are ${needed} chunks, between 1 and ${LIMITS.chunksPerArtifact}; the manifest lists ${chunks.length}.`,
    );
  }
}

/**
 * Refuses a manifest that is not the one that a release names for an artifact.
 * @throws DeliveryError TARGET_MANIFEST, DELIVERY_MANIFEST
 */
export function assertSignedManifest(manifest: Manifest, artifact: Variant['artifact']): void {
  if (
    manifestSha256(manifest) !== artifact.manifestSha256 ||
    manifest.sha256 !== artifact.sha256 ||
    manifest.length !== artifact.length
  ) {
    throw new DeliveryError(
      'TARGET_MANIFEST',
      'The chunk manifest is not the one that was signed.',
    );
  }
  assertManifest(manifest);
}

/** Bytes of the chunk at `index`; 0 outside the manifest. */
export function chunkLength(manifest: Manifest, index: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= manifest.chunks.length) return 0;
  return Math.min(manifest.chunkSize, manifest.length - index * manifest.chunkSize);
}

/** The payload of the chunk at `index`, a view of the artifact. */
export function chunkOf(artifact: Uint8Array, manifest: Manifest, index: number): Uint8Array {
  const start = index * manifest.chunkSize;
  return artifact.subarray(start, start + chunkLength(manifest, index));
}
