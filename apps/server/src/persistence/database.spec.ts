import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Database, raise } from './database.js';
import { migrateSqlite as migrate } from './migrate-sqlite.js';
import { shippedFolder } from './migrations.js';
import { lockDatabase, waitForDatabase } from './server-lock.js';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-database-'));
  path = join(folder, 'espalier.db');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const code = (name: string): Error => expect.objectContaining({ code: name }) as never;

describe('a migration', () => {
  it('brings an empty file to the newest schema once, and records what it did', () => {
    const shipped = readdirSync(shippedFolder('sqlite')).filter((name) => name.endsWith('.sql'));
    expect(migrate(path)).toEqual(shipped.sort());
    expect(migrate(path)).toEqual([]);
  });

  it('refuses a database that a newer server migrated', () => {
    migrate(path);
    const newer = new Sqlite(path);
    newer.prepare('INSERT INTO "_migration" VALUES (?, ?, ?)').run('9999_later.sql', 'x', 'now');
    newer.close();
    expect(() => migrate(path)).toThrow(code('DATABASE_TOO_NEW'));
  });

  it('refuses a history that was changed after it was applied', () => {
    const history = join(folder, 'history');
    copyMigrations(history, '\nCREATE TABLE "Later" (id TEXT);');
    migrate(path);
    expect(() => migrate(path, history)).toThrow(code('DATABASE_CHANGED'));
  });

  it('that fails half way leaves nothing behind', () => {
    const history = join(folder, 'history');
    copyMigrations(history, '');
    writeFileSync(join(history, '9000_broken.sql'), 'CREATE TABLE "Half" (id TEXT); NONSENSE;');
    expect(() => migrate(path, history)).toThrow();
    const database = new Sqlite(path);
    const names = database.prepare('SELECT name FROM sqlite_master').pluck().all();
    database.close();
    expect(names).toContain('Device');
    expect(names).not.toContain('Half');
    expect(migrate(path)).toEqual([]);
  });

  function copyMigrations(to: string, change: string): void {
    const names = readdirSync(shippedFolder('sqlite')).filter((name) => name.endsWith('.sql'));
    mkdirSync(to);
    for (const name of names) {
      writeFileSync(
        join(to, name),
        readFileSync(join(shippedFolder('sqlite'), name), 'utf8') + change,
      );
    }
  }
});

describe('the database', () => {
  it('is served by one server at a time; the next waits, and has it once that one is gone', async () => {
    const unlock = lockDatabase(path);
    expect(lockDatabase(path)).toBeNull();
    const events: string[] = [];
    const next = waitForDatabase(path, () => events.push('waits')).then((unlockNext) => {
      events.push('holds');
      return unlockNext;
    });
    expect(events).toEqual(['waits']);
    unlock?.();
    (await next)();
    expect(events).toEqual(['waits', 'holds']);
  });

  it('has a higher epoch at each start', async () => {
    migrate(path);
    const epochs: number[] = [];
    while (epochs.length < 3) {
      const database = await Database.open({ kind: 'sqlite', path });
      epochs.push(database.epoch);
      await database.close();
    }
    expect(epochs).toEqual([1, 2, 3]);
  });

  describe('open', () => {
    let database: Database;
    beforeEach(async () => {
      migrate(path);
      database = await Database.open({ kind: 'sqlite', path }, 200);
    });
    afterEach(() => database.close());

    const value = async (name: string): Promise<number | undefined> =>
      (await database.read.counter.findUnique({ where: { name } }))?.value;

    it('undoes a write that fails, whole, and none of those beside it', async () => {
      const undone: number[] = [];
      database.onRollback(() => undone.push(1));
      const results = await Promise.allSettled(
        Array.from({ length: 100 }, (_, index) =>
          database.write(async (transaction) => {
            await raise(transaction, 'all');
            if (index % 10 === 3) throw new Error('scripted to fail');
            return raise(transaction, 'good');
          }),
        ),
      );
      expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(10);
      expect(await value('all')).toBe(90);
      expect(await value('good')).toBe(90);
      expect(undone).toHaveLength(10);
    });

    it('commits patient writes together, each undone alone, and lets no other write wait for them', async () => {
      const plain = (name: string) =>
        database.write(
          ({ sql }) => sql.run('INSERT INTO "Counter" ("name", "value") VALUES (?, 1)', [name]),
          { patient: true },
        );
      const results = await Promise.allSettled([plain('a'), plain('b'), plain('a'), plain('c')]);
      expect(results.map(({ status }) => status)).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      const patient = plain('d');
      await database.write((transaction) => raise(transaction, 'at once'));
      // Went along with the write that does not wait.
      expect(await value('d')).toBe(1);
      await patient;
    });

    it('stores instants by plain SQL as Prisma stores them', async () => {
      const receivedAt = new Date('2026-02-03T04:05:06.078Z');
      await database.write(async (transaction) => {
        await transaction.sql.run('INSERT INTO "Inbox" VALUES (?, ?, ?)', ['d', 'm', receivedAt]);
        await transaction.inbox.create({ data: { deviceId: 'd', messageId: 'n', receivedAt } });
      });
      expect(await database.read.inbox.count({ where: { receivedAt } })).toBe(2);
    });

    it('takes a write asked for in the very turn in which the last one ended', async () => {
      for (let at = 1; at <= 20; at += 1) {
        await database.write((transaction) => raise(transaction, 'chain'));
        expect(await value('chain')).toBe(at);
      }
    });

    it('cannot be written but through the queue', async () => {
      await expect(
        database.read.counter.create({ data: { name: 'x', value: 1 } }),
      ).rejects.toThrow();
    });

    it('refuses writes beyond its bound, and keeps those that it took', async () => {
      const writes = Array.from({ length: 300 }, () =>
        database.write((transaction) => raise(transaction, 'many')),
      );
      const results = await Promise.allSettled(writes);
      const taken = results.filter(({ status }) => status === 'fulfilled').length;
      expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
        reason: { code: 'SERVER_BUSY' },
      });
      expect(await value('many')).toBe(taken);
    });
  });
});
