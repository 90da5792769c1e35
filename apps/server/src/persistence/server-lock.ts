import Sqlite from 'better-sqlite3';
import { ServerError } from '../errors.js';

/**
 * Makes this process the one active server of a database: an exclusive SQLite lock on a file beside
 * it, which the operating system lets go when the process ends, however it ends.
 * @param waitMs how long a server that is still stopping may take
 * @returns lets the lock go
 * @throws ServerError DATABASE_IN_USE
 */
export function lockDatabase(databasePath: string, waitMs: number): () => void {
  const lock = new Sqlite(`${databasePath}.lock`, { timeout: waitMs });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new ServerError(
      'DATABASE_IN_USE',
      500,
      `Another server is active on ${databasePath}. Stop it, or give this one a DATA_DIR of its own.`,
      { cause },
    );
  }
  return () => lock.close();
}
