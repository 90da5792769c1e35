import pg from 'pg';
import { pendingMigrations, readMigrations, shippedFolder } from './migrations.js';

/**
 * Brings a PostgreSQL database to the newest schema: each migration in a transaction with its
 * record. Only the server that holds the lease does so.
 * @returns names of the migrations that were applied now
 * @throws ServerError DATABASE_TOO_NEW, DATABASE_CHANGED
 */
export async function migratePostgresql(
  url: string,
  folder = shippedFolder('postgresql'),
): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(
      'CREATE TABLE IF NOT EXISTS "_migration" (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL)',
    );
    const { rows } = await client.query<{ name: string; sha256: string }>(
      'SELECT name, sha256 FROM "_migration" ORDER BY name',
    );
    const pending = pendingMigrations(readMigrations(folder), rows, client.database ?? 'it');
    for (const { name, sql, sha256 } of pending) {
      await client.query('BEGIN');
      try {
        await client.query(sql);
        await client.query('INSERT INTO "_migration" VALUES ($1, $2, $3)', [
          name,
          sha256,
          new Date().toISOString(),
        ]);
        await client.query('COMMIT');
      } catch (cause) {
        await client.query('ROLLBACK');
        throw cause;
      }
    }
    return pending.map(({ name }) => name);
  } finally {
    await client.end();
  }
}
