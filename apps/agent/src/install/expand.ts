import type { Variant } from '@espalier/protocol';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, renameSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { AgentError } from '../errors.js';
import { syncDirectory } from '../store/atomic-file.js';

/** SHA-256 of a file, read as a stream; undefined when there is none. */
export async function hashFile(path: string): Promise<string | undefined> {
  try {
    const hash = createHash('sha256');
    for await (const part of createReadStream(path) as AsyncIterable<Buffer>) hash.update(part);
    return hash.digest('hex');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes the model file of a slot out of a received artifact: written beside it, checked, synced,
 * renamed. Repeating it after a cut is safe, even when the rename had been done.
 * @throws AgentError INSTALL_ARTIFACT_HASH, INSTALL_EXPAND, INSTALL_MODEL_LENGTH, INSTALL_MODEL_HASH
 */
export async function expandArtifact(
  artifactPath: string,
  variant: Variant,
  slotPath: string,
): Promise<void> {
  const { artifact, model } = variant;
  if (sizeOf(slotPath) === model.length && (await hashFile(slotPath)) === model.sha256) return;
  if ((await hashFile(artifactPath)) !== artifact.sha256) {
    throw new AgentError(
      'INSTALL_ARTIFACT_HASH',
      `The received artifact is not ${artifact.sha256}; it must be received again.`,
    );
  }
  if (artifact.encoding === 'identity') {
    assertModel(variant, artifact.length, artifact.sha256);
    renameSync(artifactPath, slotPath);
  } else {
    const temporary = `${slotPath}.tmp`;
    await decompress(artifactPath, variant, temporary);
    renameSync(temporary, slotPath);
  }
  syncDirectory(dirname(slotPath));
}

async function decompress(artifactPath: string, variant: Variant, output: string): Promise<void> {
  const hash = createHash('sha256');
  let length = 0;
  const measured = new Transform({
    transform(part: Buffer, _encoding, done) {
      length += part.byteLength;
      // A few bytes may expand to gigabytes: stop at the length that was signed.
      if (length > variant.model.length) {
        done(lengthError(variant, `more than ${variant.model.length}`));
        return;
      }
      hash.update(part);
      done(null, part);
    },
  });
  const source: Readable = createReadStream(artifactPath);
  try {
    await pipeline(source, createBrotliDecompress(), measured, createWriteStream(output));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (cause instanceof AgentError || code === 'ENOSPC' || code === 'EDQUOT') throw cause;
    throw new AgentError('INSTALL_EXPAND', 'The artifact cannot be expanded as brotli.', { cause });
  }
  assertModel(variant, length, hash.digest('hex'));
  const file = await open(output, 'r');
  await file.sync();
  await file.close();
}

function assertModel(variant: Variant, length: number, sha256: string): void {
  if (length !== variant.model.length) throw lengthError(variant, String(length));
  if (sha256 !== variant.model.sha256) {
    throw new AgentError(
      'INSTALL_MODEL_HASH',
      `The artifact expands to a model ${sha256}; ${variant.model.sha256} was signed.`,
    );
  }
}

const lengthError = (variant: Variant, length: string): AgentError =>
  new AgentError(
    'INSTALL_MODEL_LENGTH',
    `The artifact expands to ${length} bytes; ${variant.model.length} were signed.`,
  );

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
