import { auditEntrySchema, type AuditEntry } from '@espalier/trust';
import { z } from 'zod';
import type { ApiClient } from './client.js';

const PAGE = 1000;

const pageSchema = z.object({ entries: z.array(auditEntrySchema), next: z.number().nullable() });

const verdictSchema = z.object({
  entries: z.number(),
  head: z.object({ seq: z.number(), hash: z.string() }).nullable(),
  fault: z.object({ seq: z.number(), why: z.string() }).nullable(),
});
export type Verdict = z.infer<typeof verdictSchema>;

/** Which entries are wanted. */
export interface AuditFilter {
  readonly actor?: string;
  readonly action?: string;
  readonly outcome?: string;
}

/** Entries, page by page. */
export async function* auditEntries(
  api: ApiClient,
  filter: AuditFilter,
  order: 'newest' | 'oldest',
): AsyncGenerator<AuditEntry> {
  const { actor, action, outcome } = filter;
  const given = Object.entries({ actor, action, outcome }).filter(([, value]) => value);
  let cursor: number | null = null;
  do {
    const query = new URLSearchParams({
      ...(Object.fromEntries(given) as Record<string, string>),
      ...{ order, limit: String(PAGE) },
      ...(cursor === null ? {} : { cursor: String(cursor) }),
    });
    const page: z.infer<typeof pageSchema> = await api.get(`/audit?${query}`, pageSchema);
    yield* page.entries;
    cursor = page.next;
  } while (cursor !== null);
}

/** Has the server follow its chain. */
export const verifyAudit = (api: ApiClient): Promise<Verdict> =>
  api.get('/audit/verify', verdictSchema);
