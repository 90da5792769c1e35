import { ServerError } from '../errors.js';
import type { Prisma, PrismaClient } from '../generated/prisma/client.js';
import type { DatabaseAddress } from './address.js';
import { openClients, WRITER_NAME } from './clients.js';
import { withSql, type Sql, type WithSql } from './sql.js';

/** What a write may use: the client bound to the current transaction, and plain SQL within it. */
export type Transaction = WithSql<Prisma.TransactionClient>;

interface Write {
  readonly patient: boolean;
  readonly run: (transaction: Transaction) => Promise<() => void>;
  readonly fail: (cause: unknown) => void;
}

const QUEUE_LIMIT = 10_000;
/** A transaction takes no more writes than this, and none after so long. */
const BATCH_LIMIT = 1_000;
const BATCH_MS = 50;
/** How long writes that can wait are gathered, each commit being one wait for the disk. */
const GATHER_MS = 40;

/**
 * The database: `read` cannot write; every write goes through one queue, one transaction at a time,
 * several writes to a transaction, each undone alone when it fails. On PostgreSQL each transaction
 * first makes sure that the epoch is still this server's, and holds it until it is committed: a
 * server that was replaced meanwhile writes nothing more.
 */
export class Database {
  readonly read: WithSql<PrismaClient>;
  private readonly writer: PrismaClient;
  private readonly writerSql: Sql;
  private readonly queue: Write[] = [];
  private impatient = 0;
  private hurry: () => void = () => undefined;
  private draining: Promise<void> | null = null;
  private currentEpoch = 0;
  private readonly rollbackListeners: (() => void)[] = [];

  private constructor(
    private readonly address: DatabaseAddress,
    private readonly queueLimit: number,
  ) {
    const { writer, writerSql, reader } = openClients(address);
    this.writer = writer;
    this.writerSql = writerSql;
    this.read = reader;
  }

  /**
   * Opens a migrated database and raises its epoch: whoever served it before is older now.
   * @param queueLimit most writes that may wait
   */
  static async open(address: DatabaseAddress, queueLimit = QUEUE_LIMIT): Promise<Database> {
    const database = new Database(address, queueLimit);
    await database.read.$connect();
    if (address.kind === 'sqlite') {
      await database.writer.$executeRawUnsafe('PRAGMA synchronous = FULL');
    } else {
      // A former server that was stopped within a transaction would hold its locks for ever.
      await database.writer.$queryRawUnsafe(
        `SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = '${WRITER_NAME}'
           AND pid <> pg_backend_pid()`,
      );
    }
    database.currentEpoch = await database.write((transaction) => raise(transaction, 'epoch'));
    return database;
  }

  get kind(): DatabaseAddress['kind'] {
    return this.address.kind;
  }

  /** This server's lease: higher than that of every server before it on this database. */
  get epoch(): number {
    return this.currentEpoch;
  }

  /** Calls back, before any later write runs, whenever a write was undone. */
  onRollback(listener: () => void): void {
    this.rollbackListeners.push(listener);
  }

  /** Writes waiting for their turn. */
  get queued(): number {
    return this.queue.length;
  }

  /**
   * Runs a write in the next transaction; resolves once it is committed.
   * @param patience a patient write waits a moment for others, so that many cost one commit; one
   *   that is not takes it along
   * @throws ServerError SERVER_BUSY when the queue is full
   */
  write<T>(
    job: (transaction: Transaction) => Promise<T>,
    { patient = false }: { readonly patient?: boolean } = {},
  ): Promise<T> {
    if (this.queue.length >= this.queueLimit) {
      return Promise.reject(
        new ServerError(
          'SERVER_BUSY',
          503,
          `${this.queueLimit} writes are waiting; try again later.`,
        ),
      );
    }
    return new Promise<T>((resolve, reject) => {
      this.queue.push({
        patient,
        run: async (transaction) => {
          const result = await job(transaction);
          return () => resolve(result);
        },
        fail: reject,
      });
      if (!patient) {
        this.impatient += 1;
        this.hurry();
      }
      this.draining ??= this.drain();
    });
  }

  /** Waits for the writes that were asked for, then closes both connections. */
  async close(): Promise<void> {
    await this.draining;
    await this.read.$disconnect();
    await this.writer.$disconnect();
  }

  /** Ends in the same turn in which it finds the queue empty, so that no write is left behind. */
  private async drain(): Promise<void> {
    while (this.queue.length > 0) {
      await this.gathered();
      await this.commit();
    }
    this.draining = null;
  }

  /** Resolves when the next transaction may begin. */
  private gathered(): Promise<void> {
    if (this.impatient > 0 || this.queue.length >= BATCH_LIMIT) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, GATHER_MS);
      this.hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Takes writes off the queue one by one, those asked for meanwhile too, within the bounds. */
  private *batch(): Generator<Write> {
    const until = performance.now() + BATCH_MS;
    for (let taken = 0; taken < BATCH_LIMIT && performance.now() < until; taken += 1) {
      const write = this.queue.shift();
      if (!write) return;
      if (!write.patient) this.impatient -= 1;
      yield write;
    }
  }

  private rolledBack(): void {
    for (const listener of this.rollbackListeners) listener();
  }

  /** @throws ServerError LEASE_LOST */
  private async refuseFormer(transaction: Transaction): Promise<void> {
    if (this.kind === 'sqlite' || this.currentEpoch === 0) return;
    const rows = await transaction.$queryRawUnsafe<{ value: number }[]>(
      `SELECT value FROM "Counter" WHERE name = 'epoch' FOR SHARE`,
    );
    if (rows[0]?.value === this.currentEpoch) return;
    throw new ServerError(
      'LEASE_LOST',
      503,
      `Another server is active, under epoch ${String(rows[0]?.value)}; this one had ${this.currentEpoch}.`,
    );
  }

  private async commit(): Promise<void> {
    const begun: Write[] = [];
    const done: (() => void)[] = [];
    const { writerSql: sql } = this;
    try {
      await this.writer.$transaction(
        async (client) => {
          const transaction = withSql(client, sql);
          await this.refuseFormer(transaction);
          for (const write of this.batch()) {
            begun.push(write);
            await sql.run('SAVEPOINT one_write', []);
            try {
              const resolve = await write.run(transaction);
              await sql.run('RELEASE one_write', []);
              done.push(resolve);
            } catch (cause) {
              await sql.run('ROLLBACK TO one_write', []);
              await sql.run('RELEASE one_write', []);
              this.rolledBack();
              write.fail(cause);
            }
          }
        },
        { timeout: 60_000, maxWait: 60_000 },
      );
    } catch (cause) {
      this.rolledBack();
      // One at least: else a transaction that cannot begin would be tried for ever.
      if (begun.length === 0) begun.push(...this.batch());
      for (const write of begun) write.fail(cause);
      return;
    }
    for (const resolve of done) resolve();
  }
}

/** Adds one to a named counter and gives its new value; starts at 1. */
export async function raise(transaction: Transaction, name: string): Promise<number> {
  const { value } = await transaction.counter.upsert({
    where: { name },
    create: { name, value: 1 },
    update: { value: { increment: 1 } },
  });
  return value;
}
