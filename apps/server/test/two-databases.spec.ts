import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import Sqlite from 'better-sqlite3';
import pg from 'pg';
import { AuditLog } from '../src/audit/audit-log.js';
import { Prisma } from '../src/generated/prisma/client.js';
import type { DatabaseAddress } from '../src/persistence/address.js';
import { Database, raise } from '../src/persistence/database.js';
import { Lease } from '../src/persistence/lease.js';
import { migratePostgresql } from '../src/persistence/migrate-postgresql.js';
import { migrateSqlite } from '../src/persistence/migrate-sqlite.js';
import { fromExactJson, toExactJson, toJson } from '../src/persistence/json.js';
import { whereSelected } from '../src/fleet/selector.js';
import { ruleRequestSchema } from '../src/alerts/schemas.js';
import { seriesQuerySchema } from '../src/telemetry/schemas.js';
import { addVariant, sketchOf, Watchers } from './field.js';
import { PostgresCluster, postgresPrograms } from './postgres-cluster.js';

jest.setTimeout(300_000);

/** What a column is, whatever each database calls it. */
type Column = [name: string, type: string, nullable: boolean, fallback: string | null];
interface Table {
  columns: Column[];
  primary: string[];
  indexes: string[];
  foreign: string[];
}
type Shape = Record<string, Table>;

const TYPES: Record<string, string> = {
  TEXT: 'text',
  text: 'text',
  INTEGER: 'int',
  integer: 'int',
  BIGINT: 'bigint',
  bigint: 'bigint',
  JSONB: 'json',
  jsonb: 'json',
  DATETIME: 'time',
  'timestamp without time zone': 'time',
  REAL: 'double',
  'double precision': 'double',
  BLOB: 'bytes',
  bytea: 'bytes',
};

const literal = (text: string | null): string | null =>
  text === null || text.startsWith('nextval') ? null : text.replace(/::\w+$/, '');

function shapeOfSqlite(path: string): Shape {
  const database = new Sqlite(path, { readonly: true });
  const all = <T>(sql: string): T[] => database.prepare(sql).all() as T[];
  const names = all<{ name: string }>(
    `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_%' ESCAPE '\\'`,
  );
  const shape = Object.fromEntries(
    names.map(({ name }): [string, Table] => {
      const columns = all<{
        name: string;
        type: string;
        notnull: number;
        dflt_value: string | null;
        pk: number;
      }>(`PRAGMA table_info("${name}")`);
      const indexes = all<{ name: string; unique: number; origin: string }>(
        `PRAGMA index_list("${name}")`,
      ).filter(({ origin }) => origin === 'c');
      return [
        name,
        {
          columns: columns
            .map((one): Column => [
              one.name,
              TYPES[one.type]!,
              one.notnull === 0,
              literal(one.dflt_value),
            ])
            .sort(),
          primary: columns
            .filter(({ pk }) => pk > 0)
            .sort((a, b) => a.pk - b.pk)
            .map((one) => one.name),
          indexes: indexes
            .map(({ name: index, unique }) => {
              const parts = all<{ name: string }>(`PRAGMA index_info("${index}")`);
              return `${unique ? 'unique ' : ''}${parts.map((part) => part.name).join(',')}`;
            })
            .sort(),
          foreign: all<{ from: string; table: string; to: string }>(
            `PRAGMA foreign_key_list("${name}")`,
          )
            .map(({ from, table, to }) => `${from}>${table}.${to}`)
            .sort(),
        },
      ];
    }),
  );
  database.close();
  return shape;
}

async function shapeOfPostgresql(url: string): Promise<Shape> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const all = async <T extends object>(sql: string): Promise<T[]> =>
    (await client.query<T>(sql)).rows;
  const columns = await all<{
    table_name: string;
    column_name: string;
    data_type: string;
    is_nullable: string;
    column_default: string | null;
  }>(`SELECT * FROM information_schema.columns WHERE table_schema = 'public'`);
  const indexes = await all<{
    table: string;
    primary: boolean;
    unique: boolean;
    columns: string[];
  }>(
    `SELECT t.relname AS "table", i.indisprimary AS "primary", i.indisunique AS "unique",
       array_agg(a.attname::text ORDER BY k.place) AS columns
     FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
       JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'public'
       CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(number, place)
       JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number
     GROUP BY i.indexrelid, t.relname, i.indisprimary, i.indisunique`,
  );
  const foreign = await all<{ table: string; from: string; to_table: string; to: string }>(
    `SELECT t.relname AS "table", a.attname AS "from", f.relname AS to_table, b.attname AS "to"
     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class f ON f.oid = c.confrelid
       JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
       JOIN pg_attribute b ON b.attrelid = f.oid AND b.attnum = c.confkey[1]
     WHERE c.contype = 'f'`,
  );
  await client.end();
  const names = [...new Set(columns.map((one) => one.table_name))].filter(
    (name) => !name.startsWith('_'),
  );
  return Object.fromEntries(
    names.map((name): [string, Table] => {
      const own = indexes.filter(({ table }) => table === name);
      return [
        name,
        {
          columns: columns
            .filter((one) => one.table_name === name)
            .map((one): Column => [
              one.column_name,
              TYPES[one.data_type]!,
              one.is_nullable === 'YES',
              literal(one.column_default),
            ])
            .sort(),
          primary: own.find(({ primary }) => primary)?.columns ?? [],
          indexes: own
            .filter(({ primary }) => !primary)
            .map((one) => `${one.unique ? 'unique ' : ''}${one.columns.join(',')}`)
            .sort(),
          foreign: foreign
            .filter(({ table }) => table === name)
            .map(({ from, to_table, to }) => `${from}>${to_table}.${to}`)
            .sort(),
        },
      ];
    }),
  );
}

const installed = postgresPrograms() !== null;
if (!installed) process.stderr.write('PostgreSQL is not installed: its tests are skipped.\n');

(installed ? describe : describe.skip)('SQLite and PostgreSQL', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-two-'));
  const path = join(folder, 'espalier.db');
  let cluster: PostgresCluster;
  let url: string;

  beforeAll(async () => {
    cluster = await PostgresCluster.start();
    url = await cluster.database();
    migrateSqlite(path);
    await migratePostgresql(url);
  });
  afterAll(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('have the same models in their schemas', () => {
    const models = (kind: string): string => {
      const file = new URL(`../../../prisma/${kind}/schema.prisma`, import.meta.url);
      const text = readFileSync(fileURLToPath(file), 'utf8');
      return text.slice(text.indexOf('///'));
    };
    expect(models('postgresql')).toBe(models('sqlite'));
  });

  it('have the same tables, columns, keys and indexes after their histories, as the models say', async () => {
    const sqlite = shapeOfSqlite(path);
    expect(await shapeOfPostgresql(url)).toEqual(sqlite);
    expect(Object.keys(sqlite).sort()).toEqual(Object.keys(Prisma.ModelName).sort());
    const { Device } = sqlite;
    expect(Device!.columns.map(([name]) => name)).toEqual(
      Object.keys(Prisma.DeviceScalarFieldEnum).sort(),
    );
  });

  it('apply a history once, and refuse one that a newer server or another hand changed', async () => {
    expect(await migratePostgresql(url)).toEqual([]);
    const other = await cluster.database();
    const applied = await migratePostgresql(other);
    expect(applied[0]).toBe('0001_start.sql');
    const client = new pg.Client({ connectionString: other });
    await client.connect();
    await client.query(`INSERT INTO "_migration" VALUES ('9999_later.sql', 'x', 'now')`);
    await expect(migratePostgresql(other)).rejects.toMatchObject({ code: 'DATABASE_TOO_NEW' });
    await client.query(`DELETE FROM "_migration" WHERE name = '9999_later.sql'`);
    await client.query(`UPDATE "_migration" SET sha256 = 'y'`);
    await expect(migratePostgresql(other)).rejects.toMatchObject({ code: 'DATABASE_CHANGED' });
    await client.end();
  });

  describe.each(['sqlite', 'postgresql'] as const)('%s', (kind) => {
    const address = (): DatabaseAddress => (kind === 'sqlite' ? { kind, path } : { kind, url });
    let database: Database;
    beforeAll(async () => {
      database = await Database.open(address());
    });
    afterAll(() => database.close());

    it('keep an audit log that SQL cannot rewrite, nor unseen once its triggers are gone', async () => {
      Logger.overrideLogger(false);
      const log = new AuditLog(database);
      for (const object of ['a', 'b', 'c']) {
        await log.append({
          ...{ actor: 'ada', action: 'test', object, outcome: 'done', code: null, address: null },
        });
      }
      expect(await log.verify()).toMatchObject({ entries: 3, fault: null });
      const run = (sql: string): Promise<number> =>
        database.write((transaction) => transaction.$executeRawUnsafe(sql));
      const edit = `UPDATE "AuditEntry" SET actor = 'eve' WHERE seq = 2`;
      await expect(run(edit)).rejects.toThrow('append-only');
      await expect(run(`DELETE FROM "AuditEntry"`)).rejects.toThrow('append-only');
      await run(
        kind === 'sqlite'
          ? `DROP TRIGGER "AuditEntry_no_update"`
          : `DROP TRIGGER "AuditEntry_no_change" ON "AuditEntry"`,
      );
      await run(edit);
      expect(await log.verify()).toMatchObject({ fault: { seq: 2, why: 'altered' } });
    });

    it('keeps values as they are, and finds devices by label', async () => {
      const createdAt = new Date('2026-01-02T03:04:05.678Z');
      const labels = { site: 'north', 'a.b-c': 'x=y' };
      await database.write((transaction) =>
        transaction.device.create({
          data: {
            id: 'd-1',
            name: 'Ünïcode ✓',
            labels,
            publicKey: 'k',
            state: 'ready',
            budget: toJson({ small: 1e-7, text: 'nul\0here', deep: [{ z: 1, a: null }] }),
            createdAt,
          },
        }),
      );
      const [row] = await database.read.device.findMany({
        where: whereSelected({ 'a.b-c': 'x=y', site: 'north' }, database),
      });
      expect(row).toMatchObject({ id: 'd-1', name: 'Ünïcode ✓', labels, createdAt, faults: [] });
      expect(row?.budget).toEqual({
        small: 1e-7,
        text: 'nul\ufffdhere',
        deep: [{ z: 1, a: null }],
      });
      expect(
        await database.read.device.findMany({ where: whereSelected({ site: 'south' }, database) }),
      ).toEqual([]);
    });

    it('keeps the numbers of a log to the last digit', async () => {
      const event = { numbers: [0.012500000000000002, 0.1 + 0.2, 1 / 3, 1e-300, 2 ** 53] };
      const row = { rolloutId: 'r', seq: 1, at: new Date(), event: toExactJson(event) };
      await database.write((transaction) => transaction.rolloutEvent.create({ data: row }));
      const read = await database.read.rolloutEvent.findFirstOrThrow();
      expect(fromExactJson(read.event)).toEqual(event);
    });

    it('undoes a write that fails, whole, and none of those beside it', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 40 }, (_, index) =>
          database.write(async (transaction) => {
            await raise(transaction, 'good');
            if (index % 10 === 3) throw new Error('scripted to fail');
            if (index % 10 === 7) {
              await transaction.counter.create({ data: { name: 'epoch', value: 1 } });
            }
          }),
        ),
      );
      expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(8);
      const good = await database.read.counter.findUnique({ where: { name: 'good' } });
      expect(good?.value).toBe(32);
    });

    it('rolls telemetry up, watches for drift, and raises and clears alerts', async () => {
      await addVariant(database);
      const server = new Watchers(database);
      for (const [metric, raise, clear] of [
        ['accuracy', 0.6, 0.8],
        ['drift', 30, 3],
      ] as const) {
        const about = { name: metric, metric, raise, clear, forSeconds: 0 };
        await server.rules.create(ruleRequestSchema.parse(about));
      }
      const look = () => server.watch.look(new Date(Date.now() + 1000));
      for (let minute = 0; minute < 4; minute += 1) {
        const accuracy = { labelled: 10, correct: 5 };
        await server.say('d-1', sketchOf(minute + 1, 60, -0.4), { accuracy });
      }
      await server.rollUps.next();
      await look();
      expect(await server.alerts.active()).toMatchObject(
        expect.arrayContaining([
          expect.objectContaining({ metric: 'accuracy', value: 0.5, restsOn: '40 labels' }),
          expect.objectContaining({ metric: 'drift', restsOn: 'brightness of device d-1' }),
        ]),
      );
      // Another server goes on where this one stood, and what was rolled up is not again.
      const next = new Watchers(database);
      await next.say('d-1', sketchOf(9, 60, -0.4), { accuracy: { labelled: 400, correct: 400 } });
      await next.rollUps.next();
      await next.watch.look(new Date(Date.now() + 1000));
      expect(await next.alerts.active()).toMatchObject([{ metric: 'drift' }]);
      const { series } = await next.series.of(seriesQuerySchema.parse({}), new Date());
      expect(series[0]?.total).toMatchObject({
        windows: 5,
        accuracy: { labelled: 440, correct: 420 },
        accuracyEstimate: { items: 300 },
      });
    });

    it('cannot be written but through the queue', async () => {
      await expect(
        database.read.counter.create({ data: { name: 'x', value: 1 } }),
      ).rejects.toThrow();
    });
  });

  it('a former server on PostgreSQL writes nothing more once the next has its epoch', async () => {
    const former = await Database.open({ kind: 'postgresql', url });
    await former.write((transaction) => raise(transaction, 'mine'));
    const next = await Database.open({ kind: 'postgresql', url });
    expect(next.epoch).toBe(former.epoch + 1);
    await expect(former.write((transaction) => raise(transaction, 'mine'))).rejects.toThrow();
    await expect(former.write((transaction) => raise(transaction, 'mine'))).rejects.toMatchObject({
      code: 'LEASE_LOST',
    });
    expect((await next.read.counter.findUnique({ where: { name: 'mine' } }))?.value).toBe(1);
    await former.close();
    await next.close();
  });

  it('the lease has one holder; the next waits, and has it once it is let go', async () => {
    const database = await cluster.database();
    const events: string[] = [];
    const settings = (name: string) => ({
      url: database,
      leaseMs: 6_000,
      onLost: () => events.push(`${name} lost`),
      onWait: () => events.push(`${name} waits`),
    });
    const first = await Lease.acquire(settings('first'));
    const second = Lease.acquire(settings('second')).then((lease) => {
      events.push('second holds');
      return lease;
    });
    // Longer than the lease: it is renewed meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 7_500));
    expect(events).toEqual(['second waits']);
    await first.release();
    await (await second).release();
    expect(events).toEqual(['second waits', 'second holds']);
  });
});
