import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseAddress } from './address.js';
import { Lease, type LeaseSettings } from './lease.js';
import { migratePostgresql } from './migrate-postgresql.js';
import { migrateSqlite } from './migrate-sqlite.js';
import { waitForDatabase } from './server-lock.js';

/** A database that is this server's alone, and migrated. */
export interface Claim {
  /** Migrations that were applied now. */
  readonly applied: readonly string[];
  letGo(): Promise<void>;
}

/**
 * Becomes the one active server of a database, once no other one is, and migrates it.
 * @throws ServerError DATABASE_TOO_NEW, DATABASE_CHANGED
 */
export async function claimDatabase(
  address: DatabaseAddress,
  settings: Omit<LeaseSettings, 'url'>,
): Promise<Claim> {
  if (address.kind === 'sqlite') {
    mkdirSync(dirname(address.path), { recursive: true });
    const unlock = await waitForDatabase(address.path, settings.onWait);
    return claimed(
      () => Promise.resolve(migrateSqlite(address.path)),
      () => Promise.resolve(unlock()),
    );
  }
  const lease = await Lease.acquire({ ...settings, url: address.url });
  return claimed(
    () => migratePostgresql(address.url),
    () => lease.release(),
  );
}

async function claimed(
  migrate: () => Promise<string[]>,
  letGo: () => Promise<void>,
): Promise<Claim> {
  try {
    return { applied: await migrate(), letGo };
  } catch (cause) {
    await letGo();
    throw cause;
  }
}
