import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ServerError } from '../errors.js';
import type { DatabaseAddress } from './address.js';

/** One file of a history of plain SQL. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

/** The history that ships with this server for a kind of database. */
export const shippedFolder = (kind: DatabaseAddress['kind']): string =>
  fileURLToPath(new URL(`../../../../prisma/${kind}/migrations/`, import.meta.url));

/** The migrations of a folder, in order. */
export function readMigrations(folder: string): Migration[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name))
    .sort()
    .map((name) => {
      const sql = readFileSync(`${folder}/${name}`, 'utf8');
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    });
}

/**
 * Those that a database still lacks.
 * @param where the database, for messages
 * @throws ServerError DATABASE_TOO_NEW when it records one that this server does not ship,
 *   DATABASE_CHANGED when an applied one has other contents than the one that ships
 */
export function pendingMigrations(
  shipped: readonly Migration[],
  recorded: readonly { readonly name: string; readonly sha256: string }[],
  where: string,
): Migration[] {
  for (const { name, sha256 } of recorded) {
    const known = shipped.find((migration) => migration.name === name);
    if (!known) {
      throw new ServerError(
        'DATABASE_TOO_NEW',
        500,
        `${where} was migrated by a newer server: ${name} is not known here. Start that server, or restore a backup.`,
      );
    }
    if (known.sha256 !== sha256) {
      throw new ServerError(
        'DATABASE_CHANGED',
        500,
        `${name} was applied to ${where} with other contents than it ships with.`,
      );
    }
  }
  return shipped.filter(({ name }) => !recorded.some((row) => row.name === name));
}
