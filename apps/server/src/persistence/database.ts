import { PrismaBetterSQLite3 } from '@prisma/adapter-better-sqlite3';
import { ServerError } from '../errors.js';
import { PrismaClient, type Prisma } from '../generated/prisma/client.js';

/** What a write may use: the client bound to the current transaction. */
export type Transaction = Prisma.TransactionClient;

interface Write {
  readonly run: (transaction: Transaction) => Promise<() => void>;
  readonly fail: (cause: unknown) => void;
}

const QUEUE_LIMIT = 10_000;
const BATCH_LIMIT = 64;

/**
 * The database: `read` is a connection that cannot write; every write goes through one queue, one
 * transaction at a time, several writes to a transaction, each undone alone when it fails.
 */
export class Database {
  readonly read: PrismaClient;
  private readonly writer: PrismaClient;
  private readonly queue: Write[] = [];
  private draining: Promise<void> | null = null;
  private currentEpoch = 0;
  private readonly rollbackListeners: (() => void)[] = [];

  private constructor(
    databasePath: string,
    private readonly queueLimit: number,
  ) {
    const url = `file:${databasePath}`;
    this.writer = new PrismaClient({ adapter: new PrismaBetterSQLite3({ url }) });
    this.read = new PrismaClient({ adapter: new PrismaBetterSQLite3({ url, readonly: true }) });
  }

  /**
   * Opens a migrated database and raises its epoch: whoever served it before is older now.
   * @param queueLimit most writes that may wait
   */
  static async open(databasePath: string, queueLimit = QUEUE_LIMIT): Promise<Database> {
    const database = new Database(databasePath, queueLimit);
    await database.writer.$executeRawUnsafe('PRAGMA synchronous = FULL');
    database.currentEpoch = await database.write((transaction) => raise(transaction, 'epoch'));
    return database;
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

  private async commit(batch: readonly Write[]): Promise<void> {
    const done: (() => void)[] = [];
    try {
      await this.writer.$transaction(
        async (transaction) => {
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
