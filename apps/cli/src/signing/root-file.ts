import { open, readFile, rename } from 'node:fs/promises';
import { parseJson, rootSchema, signedSchema, type Root, type Signed } from '@espalier/protocol';
import { payloadBytes } from '@espalier/trust';
import { CliError } from '../errors.js';

/** A root as it lies in a file: maybe not signed by enough keys yet. */
export interface RootInFile {
  readonly root: Root;
  readonly signed: Signed;
}

/** Reads a root without verifying it. @throws CliError CLI_FILE */
export async function readRootFile(path: string): Promise<RootInFile> {
  try {
    const signed = signedSchema.parse(parseJson(await readFile(path)));
    return { signed, root: rootSchema.parse(parseJson(payloadBytes(signed))) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('CLI_FILE', `${path} is no root (${why}).`, { cause });
  }
}

/** Writes a root: to a file beside it, synced, then renamed. @throws CliError CLI_OUT */
export async function writeRootFile(path: string, signed: Signed): Promise<void> {
  try {
    const beside = `${path}.tmp`;
    const file = await open(beside, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(signed)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('CLI_OUT', `${path} cannot be written (${why}).`, { cause });
  }
}
