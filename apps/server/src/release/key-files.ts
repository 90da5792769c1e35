import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { generateKeyPair, keyPairFromPem, privateKeyPem, type KeyPair } from '@espalier/trust';

/** Writes a file that only its owner can read: whole, or not at all. */
export function writePrivately(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.tmp`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/** Reads a key pair from the key folder, or makes it there. */
export function keptKeyPair(folder: string, name: string): KeyPair {
  const given = givenKeyPair(folder, name);
  if (given) return given;
  const pair = generateKeyPair();
  writePrivately(join(folder, `${name}.pem`), privateKeyPem(pair));
  return pair;
}

/** Reads a key pair from the key folder; null: there is none of that name. */
export function givenKeyPair(folder: string, name: string): KeyPair | null {
  const path = join(folder, `${name}.pem`);
  return existsSync(path) ? keyPairFromPem(readFileSync(path, 'utf8')) : null;
}

/** Puts one key in the place of another, for good. */
export function replaceKey(folder: string, by: string, name: string): void {
  const path = join(folder, `${name}.pem`);
  writePrivately(path, readFileSync(join(folder, `${by}.pem`), 'utf8'));
  rmSync(join(folder, `${by}.pem`));
}
