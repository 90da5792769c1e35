import { open, readFile } from 'node:fs/promises';
import { generateKeyPair, keyPairFromPem, privateKeyPem, type KeyPair } from '@espalier/trust';
import { CliError } from '../errors.js';

/**
 * Makes a key pair in a new file that its owner alone can read; a file that is there is kept.
 * @throws CliError CLI_OUT
 */
export async function makeKeyFile(path: string): Promise<KeyPair> {
  const pair = generateKeyPair();
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(privateKeyPem(pair));
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('CLI_OUT', `--out ${path} cannot be made (${why}).`, { cause });
  }
  return pair;
}

/** Collects `--key`, given again and again. */
export const keyFiles = (path: string, before: readonly string[] = []): string[] => [
  ...before,
  path,
];

/** Reads the keys to sign with. @throws CliError CLI_FILE, CLI_USAGE; TrustError TRUST_KEY */
export async function readKeyFiles(paths: readonly string[]): Promise<[KeyPair, ...KeyPair[]]> {
  const [first, ...others] = await Promise.all(paths.map(readKeyFile));
  if (first) return [first, ...others];
  throw new CliError('CLI_USAGE', 'Give at least one --key to sign with.');
}

async function readKeyFile(path: string): Promise<KeyPair> {
  try {
    return keyPairFromPem(await readFile(path, 'utf8'));
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'TrustError') throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('CLI_FILE', `--key ${path} cannot be read (${why}).`, { cause });
  }
}
