import { parseJson } from '@espalier/protocol';
import type { z } from 'zod';
import { TrustError } from './errors.js';

/**
 * Parses bytes whose signatures have been verified.
 * @throws TrustError TRUST_PAYLOAD
 */
export function parseVerified<T>(bytes: Uint8Array, schema: z.ZodType<T>, what: string): T {
  let json: unknown;
  try {
    json = parseJson(bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrustError('TRUST_PAYLOAD', `The ${what} is signed, but: ${why}`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new TrustError(
      'TRUST_PAYLOAD',
      `The ${what} is signed, but ${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'is not valid'}.`,
    );
  }
  return parsed.data;
}
