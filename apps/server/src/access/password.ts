import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';

/** 32 MiB and three passes, as OWASP's password storage sheet has it. */
const COST = { N: 2 ** 15, r: 8, p: 3 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** A password as it is kept: salted scrypt (RFC 7914) with its cost, `scrypt$N$r$p$salt$hash`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await scryptOf(password, salt, COST.N, COST.r, COST.p);
  const { N, r, p } = COST;
  return ['scrypt', N, r, p, salt.toString('base64'), hash.toString('base64')].join('$');
}

/**
 * Whether a password is the one that was kept. Without a kept one it is never right, after the same
 * time.
 */
export async function passwordMatches(password: string, kept: string | null): Promise<boolean> {
  const [, N, r, p, salt, hash] = (kept ?? NOBODY).split('$');
  const expected = Buffer.from(hash ?? '', 'base64');
  const made = await scryptOf(
    password,
    Buffer.from(salt ?? '', 'base64'),
    Number(N),
    Number(r),
    Number(p),
  );
  return expected.length === made.length && timingSafeEqual(expected, made) && kept !== null;
}

const NOBODY = ['scrypt', COST.N, COST.r, COST.p, 'AAAA', ''].join('$');

const scryptOf = (
  password: string,
  salt: Buffer,
  N: number,
  r: number,
  p: number,
): Promise<Buffer> =>
  derive(password.normalize('NFC'), salt, HASH_BYTES, { N, r, p, maxmem: 256 * N * r });
