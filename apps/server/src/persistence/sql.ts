import type { PrismaBetterSQLite3 } from '@prisma/adapter-better-sqlite3';
import { z } from 'zod';
import type { DatabaseAddress } from './address.js';

/** The part of a Prisma driver adapter that a client needs, of either database. */
type Adapter = Awaited<ReturnType<PrismaBetterSQLite3['connect']>>;
type Queryable = Pick<Adapter, 'queryRaw' | 'executeRaw'>;
interface AdapterFactory {
  readonly provider: Adapter['provider'];
  readonly adapterName: string;
  connect(): Promise<Adapter>;
}

type SqlValue = string | number | boolean | null | Date;

/**
 * Statements as they are, on the connection that Prisma has open, for those that run thousands of
 * times a second: Prisma takes some hundred microseconds for a call, its driver ten. A `?` stands for
 * each value. An instant is passed as a Date, so that it is stored as Prisma stores it.
 */
export interface Sql {
  /** @returns how many rows were changed */
  run(text: string, values: readonly SqlValue[]): Promise<number>;
  /** Rows, each parsed; SQLite gives integers as texts, so a number is `z.coerce.number()`. */
  all<T>(schema: z.ZodType<T>, text: string, values: readonly SqlValue[]): Promise<T[]>;
}

/** A JSON column, which comes as text. */
export const jsonColumn = <T>(schema: z.ZodType<T>) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? (JSON.parse(value) as unknown) : value),
    schema,
  );

/** An instant, which comes as text: of UTC, where it names no zone. */
export const instantColumn = z
  .string()
  .transform((text) => new Date(/Z|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`));

/** Any client with {@link Sql} beside its models. */
export type WithSql<Client> = Client & { readonly sql: Sql };

/** Adds {@link Sql} to a client. */
export const withSql = <Client extends object>(client: Client, sql: Sql): WithSql<Client> =>
  new Proxy(client, {
    get: (target, key) => (key === 'sql' ? sql : (Reflect.get(target, key) as unknown)),
  }) as WithSql<Client>;

/** A driver adapter that lets its connection be used beside Prisma: in a transaction, within it. */
export class SharedAdapter implements AdapterFactory {
  readonly provider: Adapter['provider'];
  readonly adapterName: string;
  readonly sql: Sql;
  private current: Queryable | null = null;

  constructor(
    private readonly inner: AdapterFactory,
    kind: DatabaseAddress['kind'],
  ) {
    this.provider = inner.provider;
    this.adapterName = inner.adapterName;
    this.sql = sqlOver(() => {
      if (this.current) return this.current;
      throw new Error('Prisma has not connected yet.');
    }, kind);
  }

  async connect(): Promise<Adapter> {
    const adapter = await this.inner.connect();
    this.current = adapter;
    return {
      provider: adapter.provider,
      adapterName: adapter.adapterName,
      queryRaw: (query) => adapter.queryRaw(query),
      executeRaw: (query) => adapter.executeRaw(query),
      executeScript: (script) => adapter.executeScript(script),
      getConnectionInfo: () => adapter.getConnectionInfo?.() ?? { supportsRelationJoins: false },
      dispose: () => adapter.dispose(),
      startTransaction: async (level) => {
        const transaction = await adapter.startTransaction(level);
        this.current = transaction;
        return transaction;
      },
    };
  }
}

function sqlOver(connection: () => Queryable, kind: DatabaseAddress['kind']): Sql {
  const queryOf = (text: string, values: readonly SqlValue[]) => ({
    sql: kind === 'postgresql' ? numbered(text) : text,
    args: [...values],
    argTypes: values.map(() => ({ scalarType: 'unknown', arity: 'scalar' }) as const),
  });
  return {
    run: (text, values) => connection().executeRaw(queryOf(text, values)),
    all: async (schema, text, values) => {
      const { columnNames, rows } = await connection().queryRaw(queryOf(text, values));
      return rows.map((row) =>
        schema.parse(Object.fromEntries(columnNames.map((name, at) => [name, row[at]]))),
      );
    },
  };
}

/** PostgreSQL numbers its parameters. */
const numberedTexts = new Map<string, string>();
function numbered(text: string): string {
  const known = numberedTexts.get(text);
  if (known !== undefined) return known;
  let at = 0;
  const result = text.replaceAll('?', () => `$${String((at += 1))}`);
  numberedTexts.set(text, result);
  return result;
}
