import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../src/persistence/database.js';
import { migrateSqlite } from '../src/persistence/migrate-sqlite.js';

/** An empty SQLite database of the newest schema, in a folder that goes with it. */
export class TemporaryDatabase {
  private constructor(
    readonly folder: string,
    readonly database: Database,
  ) {}

  static async open(): Promise<TemporaryDatabase> {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-database-'));
    const path = join(folder, 'espalier.db');
    migrateSqlite(path);
    return new TemporaryDatabase(folder, await Database.open({ kind: 'sqlite', path }));
  }

  async close(): Promise<void> {
    await this.database.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
