import { PrismaBetterSQLite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient as PostgresqlClient } from '../generated/postgresql/client.js';
import { PrismaClient } from '../generated/prisma/client.js';
import type { DatabaseAddress } from './address.js';
import { SharedAdapter, withSql, type Sql, type WithSql } from './sql.js';

const READERS = 4;
/** Name of the connection that writes, by which the next server finds it. */
export const WRITER_NAME = 'espalier-writer';

/** One connection that writes, and what only reads. Both clients have the same models. */
export function openClients(address: DatabaseAddress): {
  writer: PrismaClient;
  /** Within the writer's transaction, while there is one. */
  writerSql: Sql;
  reader: WithSql<PrismaClient>;
} {
  const { kind } = address;
  if (address.kind === 'sqlite') {
    const url = `file:${address.path}`;
    const writing = new SharedAdapter(new PrismaBetterSQLite3({ url }), kind);
    const reading = new SharedAdapter(new PrismaBetterSQLite3({ url, readonly: true }), kind);
    return {
      writer: new PrismaClient({ adapter: writing }),
      writerSql: writing.sql,
      reader: withSql(new PrismaClient({ adapter: reading }), reading.sql),
    };
  }
  const adapterFor = (max: number, application_name: string, options: string): SharedAdapter =>
    new SharedAdapter(
      new PrismaPg({ connectionString: address.url, max, application_name, options }),
      kind,
    );
  const clientOf = (adapter: SharedAdapter): PrismaClient =>
    new PostgresqlClient({ adapter }) as unknown as PrismaClient;
  const writing = adapterFor(1, WRITER_NAME, '-c synchronous_commit=on');
  const reading = adapterFor(READERS, 'espalier-reader', '-c default_transaction_read_only=on');
  return {
    writer: clientOf(writing),
    writerSql: writing.sql,
    reader: withSql(clientOf(reading), reading.sql),
  };
}
