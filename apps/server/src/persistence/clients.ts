import { PrismaBetterSQLite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient as PostgresqlClient } from '../generated/postgresql/client.js';
import { PrismaClient } from '../generated/prisma/client.js';
import type { DatabaseAddress } from './address.js';

const READERS = 4;
/** Name of the connection that writes, by which the next server finds it. */
export const WRITER_NAME = 'espalier-writer';

/** One connection that writes, and what only reads. Both clients have the same models. */
export function openClients(address: DatabaseAddress): {
  writer: PrismaClient;
  reader: PrismaClient;
} {
  if (address.kind === 'sqlite') {
    const url = `file:${address.path}`;
    return {
      writer: new PrismaClient({ adapter: new PrismaBetterSQLite3({ url }) }),
      reader: new PrismaClient({ adapter: new PrismaBetterSQLite3({ url, readonly: true }) }),
    };
  }
  const open = (max: number, application_name: string, options: string): PrismaClient =>
    new PostgresqlClient({
      adapter: new PrismaPg({ connectionString: address.url, max, application_name, options }),
    }) as unknown as PrismaClient;
  return {
    writer: open(1, WRITER_NAME, '-c synchronous_commit=on'),
    reader: open(READERS, 'espalier-reader', '-c default_transaction_read_only=on'),
  };
}
