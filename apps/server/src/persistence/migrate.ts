import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { ServerError } from '../errors.js';

/** The plain SQL history that ships with this server. */
export const SQLITE_MIGRATIONS = fileURLToPath(
  new URL('../../../../prisma/sqlite/migrations/', import.meta.url),
);

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

function readMigrations(directory: string): Migration[] {
  return readdirSync(directory)
    .filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name))
    .sort()
    .map((name) => {
      const sql = readFileSync(`${directory}/${name}`, 'utf8');
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    });
}

/**
 * Brings a SQLite database to the newest schema: each migration in a transaction with its record.
 * @returns names of the migrations that were applied now
 * @throws ServerError DATABASE_TOO_NEW when it records one that this server does not ship,
 *   DATABASE_CHANGED when an applied one has other contents than the one that ships
 */
export function migrate(databasePath: string, directory: string = SQLITE_MIGRATIONS): string[] {
  const database = new Sqlite(databasePath);
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.exec(
      'CREATE TABLE IF NOT EXISTS "_migration" (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL)',
    );
    const shipped = readMigrations(directory);
    const recorded = database
      .prepare('SELECT name, sha256 FROM "_migration" ORDER BY name')
      .all() as {
      name: string;
      sha256: string;
    }[];
    for (const { name, sha256 } of recorded) {
      const known = shipped.find((migration) => migration.name === name);
      if (!known) {
        throw new ServerError(
          'DATABASE_TOO_NEW',
          500,
          `${databasePath} was migrated by a newer server: ${name} is not known here. Start that server, or restore a backup.`,
        );
      }
      if (known.sha256 !== sha256) {
        throw new ServerError(
          'DATABASE_CHANGED',
          500,
          `${name} was applied to ${databasePath} with other contents than it ships with.`,
        );
      }
    }
    const pending = shipped.filter(({ name }) => !recorded.some((row) => row.name === name));
    const record = database.prepare('INSERT INTO "_migration" VALUES (?, ?, ?)');
    for (const { name, sql, sha256 } of pending) {
      database.transaction(() => {
        database.exec(sql);
        record.run(name, sha256, new Date().toISOString());
      })();
    }
    return pending.map(({ name }) => name);
  } finally {
    database.close();
  }
}
