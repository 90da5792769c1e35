import { ServerError } from '../errors.js';
import type { Prisma, PrismaClient } from '../generated/prisma/client.js';
import type { DatabaseAddress } from './address.js';
import { openClients, WRITER_NAME } from './clients.js';

/** What a write may use: the client bound to the current transaction. */
export type Transaction = Prisma.TransactionClient;

interface Write {
  readonly run: (transaction: Transaction) => Promise<() => void>;
  readonly fail: (cause: unknown) => void;
}

const QUEUE_LIMIT = 10_000;
const BATCH_LIMIT = 64;

/**
 * The database: `read` cannot write; every write goes through one queue, one transaction at a time,
 * several writes to a transaction, each undone alone when it fails. On PostgreSQL each transaction
 * first makes sure that the epoch is still this server's, and holds it until it is committed: a
 * server that was replaced meanwhile writes nothing more.
 */
export class Database {
  readonly read: PrismaClient;
  private readonly writer: PrismaClient;
  private readonly queue: Write[] = [];
  private draining: Promise<void> | null = null;
  private currentEpoch = 0;
  private readonly rollbackListeners: (() => void)[] = [];

  private constructor(
    private readonly address: DatabaseAddress,
    private readonly queueLimit: number,
  ) {
    ({ writer: this.writer, reader: this.read } = openClients(address));
  }

  /**
   * Opens a migrated database and raises its epoch: whoever served it before is older now.
   * @param queueLimit most writes that may wait
   */
  static async open(address: DatabaseAddress, queueLimit = QUEUE_LIMIT): Promise<Database> {
    const database = new Database(address, queueLimit);
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
   * @throws ServerError SERVER_BUSY when the queue is full
   */
  write<T>(job: (transaction: Transaction) => Promise<T>): Promise<T> {
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
        run: async (transaction) => {
          const result = await job(transaction);
          return () => resolve(result);
        },
        fail: reject,
      });
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
    while (this.queue.length > 0) await this.commit(this.queue.splice(0, BATCH_LIMIT));
    this.draining = null;
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

  private async commit(batch: readonly Write[]): Promise<void> {
    const done: (() => void)[] = [];
    try {
      await this.writer.$transaction(
        async (transaction) => {
          await this.refuseFormer(transaction);
          for (const write of batch) {
            await transaction.$executeRawUnsafe('SAVEPOINT one_write');
            try {
              const resolve = await write.run(transaction);
              await transaction.$executeRawUnsafe('RELEASE one_write');
              done.push(resolve);
            } catch (cause) {
              await transaction.$executeRawUnsafe('ROLLBACK TO one_write');
              await transaction.$executeRawUnsafe('RELEASE one_write');
              this.rolledBack();
              write.fail(cause);
            }
          }
        },
        { timeout: 60_000, maxWait: 60_000 },
      );
    } catch (cause) {
      this.rolledBack();
      for (const write of batch) write.fail(cause);
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
