import { artifactParts, ENCODINGS, type ArtifactEncoding } from '@espalier/artifact';
import { sha256 } from '@espalier/delivery';
import type { Encoding, Variant } from '@espalier/protocol';
import { createHash } from 'node:crypto';
import { createReadStream, renameSync, statSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AgentError } from '../errors.js';
import { syncDirectory } from '../store/atomic-file.js';

/** The encoding as one that this agent can expand, or undefined. */
export const expandable = (encoding: Encoding): ArtifactEncoding | undefined =>
  ENCODINGS.find((known) => known === encoding);

/**
 * Makes the model file of a slot out of a received artifact: written beside it, checked, synced,
 * renamed. Repeating it after a cut is safe, even when the rename had been done.
 * @throws AgentError TARGET_ENCODING, INSTALL_ARTIFACT_HASH, INSTALL_MODEL_HASH
 * @throws ArtifactError when the artifact does not expand to the signed length
 */
export async function expandArtifact(
  artifactPath: string,
  variant: Variant,
  slotPath: string,
): Promise<void> {
  const { artifact, model } = variant;
  if (sizeOf(slotPath) === model.length && (await hashFile(slotPath)) === model.sha256) return;
  const encoding = expandable(artifact.encoding);
  if (!encoding) {
    throw new AgentError('TARGET_ENCODING', `This agent cannot expand ${artifact.encoding}.`);
  }
  const bytes = await readFile(artifactPath);
  if (sha256(bytes) !== artifact.sha256) {
    throw new AgentError(
      'INSTALL_ARTIFACT_HASH',
      `The received artifact is not ${artifact.sha256}; it must be received again.`,
    );
  }
  const temporary = `${slotPath}.tmp`;
  const written = await writeParts(
    temporary,
    artifactParts(encoding, bytes, { length: model.length, maxBytes: model.length }),
  );
  if (written !== model.sha256) {
    throw new AgentError(
      'INSTALL_MODEL_HASH',
      `The artifact expands to a model ${written}; ${model.sha256} was signed.`,
    );
  }
  renameSync(temporary, slotPath);
  syncDirectory(dirname(slotPath));
}

/** Writes and syncs a file; gives the SHA-256 of what was written. */
async function writeParts(path: string, parts: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'w', 0o600);
  try {
    for await (const part of parts) {
      hash.update(part);
      await file.writeFile(part);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** SHA-256 of a file, read part by part; undefined when there is none. */
async function hashFile(path: string): Promise<string | undefined> {
  try {
    const hash = createHash('sha256');
    for await (const part of createReadStream(path) as AsyncIterable<Buffer>) hash.update(part);
    return hash.digest('hex');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
