import Sqlite from 'better-sqlite3';

const TRY_EVERY_MS = 250;

/**
 * Makes this process the one active server of a database: an exclusive SQLite lock on a file beside
 * it, which the operating system lets go when the process ends, however it ends.
 * @returns lets the lock go; null when another process has it
 */
export function lockDatabase(databasePath: string): (() => void) | null {
  const lock = new Sqlite(`${databasePath}.lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return () => lock.close();
  } catch (cause) {
    lock.close();
    if (isBusy(cause)) return null;
    throw cause;
  }
}

/**
 * Waits until this process is the one active server of a database.
 * @param onWait called once when another process has it, and this one waits
 */
export async function waitForDatabase(
  databasePath: string,
  onWait: () => void,
): Promise<() => void> {
  for (let waited = false; ; waited = true) {
    const unlock = lockDatabase(databasePath);
    if (unlock) return unlock;
    if (!waited) onWait();
    await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
  }
}

// By its code alone: the driver keeps one class of errors for all contexts of a process.
const isBusy = (cause: unknown): boolean =>
  typeof cause === 'object' &&
  cause !== null &&
  'code' in cause &&
  String(cause.code).startsWith('SQLITE_BUSY');
