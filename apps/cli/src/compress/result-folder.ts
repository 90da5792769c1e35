import { randomUUID } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CliError } from '../errors.js';

/** Files of a result, by their path within the folder. */
export type ResultFiles = ReadonlyMap<string, Uint8Array | string>;

const OURS = ['model.onnx', 'report.json', 'report.html', 'pareto.json'];

/**
 * Whether a result may be written to a folder: it is new, empty, or holds an earlier result and
 * nothing else. Asked before the work begins.
 * @throws CliError CLI_OUT
 */
export async function checkResultFolder(folder: string): Promise<void> {
  const entries = await entriesOf(folder);
  for (const entry of entries) {
    if (entry.isFile() && OURS.includes(entry.name)) continue;
    const inner = entry.isDirectory() ? await entriesOf(join(folder, entry.name)) : [];
    const candidate = inner.length > 0 && inner.every(({ name }) => OURS.includes(name));
    if (!candidate) {
      throw new CliError(
        'CLI_OUT',
        `--out ${folder} holds ${entry.name}, which is not of an earlier result; give another folder.`,
      );
    }
  }
}

/**
 * Writes a result: to a folder beside it, synced, then renamed. Where that fails, or is interrupted,
 * no half result bears the folder's name, and an earlier one is put back.
 * @throws CliError CLI_OUT
 */
export async function writeResultFolder(folder: string, files: ResultFiles): Promise<void> {
  const target = resolve(folder);
  const beside = join(dirname(target), `.${basename(target)}-${randomUUID()}`);
  const former = `${beside}-former`;
  let replaced = false;
  // A second interrupt ends the process at once: even then no half result stays, and none is lost.
  const cleanUp = (): void => {
    rmSync(beside, { recursive: true, force: true });
    if (!existsSync(target) && existsSync(former)) renameSync(former, target);
  };
  process.once('exit', cleanUp);
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(beside);
    for (const [path, content] of files) {
      await mkdir(dirname(join(beside, path)), { recursive: true });
      await writeSynced(join(beside, path), content);
    }
    replaced = await moveIfThere(target, former);
    await rename(beside, target);
    replaced = false;
    await rm(former, { recursive: true, force: true });
  } catch (cause) {
    await rm(beside, { recursive: true, force: true });
    if (replaced) await moveIfThere(former, target);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('CLI_OUT', `--out ${folder} cannot be written (${why}).`, { cause });
  } finally {
    process.off('exit', cleanUp);
  }
}

async function writeSynced(path: string, content: Uint8Array | string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function moveIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw cause;
  }
}

async function entriesOf(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    if (isMissing(cause)) return [];
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('CLI_OUT', `--out ${folder} cannot be used (${why}).`, { cause });
  }
}

const isMissing = (cause: unknown): boolean =>
  typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ENOENT';
