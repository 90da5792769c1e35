import { createHash } from 'node:crypto';
import { instantSchema, sha256Schema } from '@espalier/protocol';
import { z } from 'zod';

/** One entry of an audit log: what was done by whom, chained to the entry before. */
export const auditEntrySchema = z.object({
  /** From 1, without a gap. */
  seq: z.number().int().min(1),
  at: instantSchema,
  /** An account, or the part of the server that acted by itself. */
  actor: z.string(),
  action: z.string(),
  object: z.string(),
  outcome: z.enum(['done', 'refused', 'failed']),
  /** Code of the error; null: none. */
  code: z.string().nullable(),
  address: z.string().nullable(),
  /** Hash of the entry before; of the first one {@link AUDIT_START}. */
  previous: sha256Schema,
  hash: sha256Schema,
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

/** What comes before the first entry. */
export const AUDIT_START = '0'.repeat(64);

/** Where a chain ends. */
export type AuditHead = Pick<AuditEntry, 'seq' | 'hash'>;

/** Why an entry does not continue its chain. */
export type AuditFault = 'missing' | 'unlinked' | 'altered';

/** SHA-256 over an entry's canonical JSON: its fields but the hash, in this order. */
export function auditHash(entry: Omit<AuditEntry, 'hash'>): string {
  const { seq, at, actor, action, object, outcome, code, address, previous } = entry;
  const canonical = { seq, at, actor, action, object, outcome, code, address, previous };
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex');
}

/** Chains what was done to the entry before; null: it is the first. */
export function chained(
  facts: Omit<AuditEntry, 'seq' | 'previous' | 'hash'>,
  head: AuditHead | null,
): AuditEntry {
  const entry = { ...facts, seq: (head?.seq ?? 0) + 1, previous: head?.hash ?? AUDIT_START };
  return { ...entry, hash: auditHash(entry) };
}

/**
 * What is wrong with an entry that should follow `head`: entries are missing before it, it is linked
 * to another one, or it was altered. Null: nothing.
 */
export function auditFault(entry: AuditEntry, head: AuditHead | null): AuditFault | null {
  if (entry.seq !== (head?.seq ?? 0) + 1) return 'missing';
  if (entry.previous !== (head?.hash ?? AUDIT_START)) return 'unlinked';
  return auditHash(entry) === entry.hash ? null : 'altered';
}
