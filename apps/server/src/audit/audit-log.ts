import { Injectable, Logger } from '@nestjs/common';
import { auditEntrySchema, auditFault, chained, type AuditEntry } from '@espalier/trust';
import type { AuditEntry as Row } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import type { AuditPage, AuditQuery, AuditVerdict } from './schemas.js';

const LONGEST = 300;
const PAGE = 1000;

/** What was done, by whom, to what. */
export interface Act {
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly outcome: AuditEntry['outcome'];
  /** The error's code; null: none. */
  readonly code: string | null;
  /** Where the request came from; null: from the server itself. */
  readonly address: string | null;
}

/** The audit log: entries chained by their hashes, which the database lets nobody change. */
@Injectable()
export class AuditLog {
  private readonly logger = new Logger('audit');

  constructor(private readonly database: Database) {}

  /** Appends an act; resolves once it is committed. */
  async append(act: Act): Promise<void> {
    const entry = await this.database.write(async (transaction) => {
      const head = await transaction.auditEntry.findFirst({
        orderBy: { seq: 'desc' },
        select: { seq: true, hash: true },
      });
      const made = chained({ ...plain(act), at: new Date().toISOString() }, head);
      await transaction.auditEntry.create({ data: { ...made, at: new Date(made.at) } });
      return made;
    });
    // A log that is shipped elsewhere witnesses the chain.
    this.logger.log({ msg: 'audit', ...entry });
  }

  async page({ actor, action, outcome, order, cursor, limit }: AuditQuery): Promise<AuditPage> {
    const newest = order === 'newest';
    const rows = await this.database.read.auditEntry.findMany({
      where: {
        ...(actor === undefined ? {} : { actor }),
        ...(action === undefined ? {} : { action: { startsWith: action } }),
        ...(outcome === undefined ? {} : { outcome }),
        ...(cursor === undefined ? {} : { seq: newest ? { lt: cursor } : { gt: cursor } }),
      },
      orderBy: { seq: newest ? 'desc' : 'asc' },
      take: limit + 1,
    });
    const entries = rows.slice(0, limit).map(entryOf);
    return { entries, next: rows.length > limit ? (entries.at(-1)?.seq ?? null) : null };
  }

  /** Follows the chain from its beginning. */
  async verify(): Promise<AuditVerdict> {
    let head: AuditVerdict['head'] = null;
    for (;;) {
      const rows: Row[] = await this.database.read.auditEntry.findMany({
        where: head === null ? {} : { seq: { gt: head.seq } },
        orderBy: { seq: 'asc' },
        take: PAGE,
      });
      for (const row of rows) {
        const entry = entryOf(row);
        const why = auditFault(entry, head);
        if (why)
          return { entries: head?.seq ?? 0, head, fault: { seq: row.seq, at: entry.at, why } };
        head = { seq: entry.seq, hash: entry.hash };
      }
      if (rows.length < PAGE) return { entries: head?.seq ?? 0, head, fault: null };
    }
  }
}

/** Texts of others, within bounds and without what could forge a line of a log. */
function plain(act: Act): Act {
  const text = (value: string): string => value.replace(/[^\x20-\x7e]/g, '?').slice(0, LONGEST);
  return {
    ...act,
    actor: text(act.actor),
    action: text(act.action),
    object: text(act.object),
    address: act.address === null ? null : text(act.address),
  };
}

/** A row as it is; what no entry could hold fails the chain, not the reader. */
const entryOf = (row: Row): AuditEntry => ({
  ...row,
  at: row.at.toISOString(),
  outcome: auditEntrySchema.shape.outcome.catch('failed').parse(row.outcome),
});
