import { mkdir, statfs } from 'node:fs/promises';
import type { Profile } from '@espalier/protocol';

/** Free space where the agent keeps its state, and what of it the agent may use, bytes. */
export async function readStorage(
  stateDir: string,
  configuredLimit: number | null,
): Promise<Profile['storage']> {
  await mkdir(stateDir, { recursive: true });
  const { bavail, bsize } = await statfs(stateDir);
  const freeBytes = bavail * bsize;
  const limitBytes = Math.min(freeBytes, configuredLimit ?? Infinity);
  return {
    freeBytes,
    limitBytes: Math.floor(limitBytes),
    limitedBy: limitBytes < freeBytes ? 'configuration' : 'machine',
  };
}
