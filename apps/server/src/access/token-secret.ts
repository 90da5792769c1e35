import { createHash, randomBytes } from 'node:crypto';

/** `session` of a person who logged in, `api` made by name for a program. */
export type TokenKind = 'session' | 'api';

const PREFIX: Readonly<Record<TokenKind, string>> = { session: 'esps_', api: 'espt_' };
const SECRET_BYTES = 32;

/** A bearer token's text: 256 random bits behind a prefix that tells what it is. */
export const newSecret = (kind: TokenKind): string =>
  PREFIX[kind] + randomBytes(SECRET_BYTES).toString('base64url');

/** What is kept of it. */
export const secretSha256 = (text: string): string =>
  createHash('sha256').update(text).digest('hex');

/** Whether a text has the form of a token of ours. */
export const isOurs = (text: string): boolean => /^esp[st]_[A-Za-z0-9_-]{43}$/.test(text);
