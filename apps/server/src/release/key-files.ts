import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
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
  const path = join(folder, `${name}.pem`);
  if (existsSync(path)) return keyPairFromPem(readFileSync(path, 'utf8'));
  const pair = generateKeyPair();
  writePrivately(path, privateKeyPem(pair));
  return pair;
}
