import Sqlite from 'better-sqlite3';
import { pendingMigrations, readMigrations, shippedFolder } from './migrations.js';

/**
 * Brings a SQLite database to the newest schema: each migration in a transaction with its record.
 * @returns names of the migrations that were applied now
 * @throws ServerError DATABASE_TOO_NEW, DATABASE_CHANGED
 */
export function migrateSqlite(path: string, folder = shippedFolder('sqlite')): string[] {
  const database = new Sqlite(path);
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.exec(
      'CREATE TABLE IF NOT EXISTS "_migration" (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL)',
    );
    const recorded = database
      .prepare('SELECT name, sha256 FROM "_migration" ORDER BY name')
      .all() as { name: string; sha256: string }[];
    const pending = pendingMigrations(readMigrations(folder), recorded, path);
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
