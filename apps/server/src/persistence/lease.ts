import { randomUUID } from 'node:crypto';
import pg from 'pg';

const TABLE = `
  CREATE TABLE IF NOT EXISTS "_lease" (
    id INTEGER PRIMARY KEY, holder TEXT NOT NULL, expires_at TIMESTAMPTZ NOT NULL
  );
  INSERT INTO "_lease" VALUES (1, '', '-infinity') ON CONFLICT DO NOTHING;
`;

/** How a server holds the right to be the active one. */
export interface LeaseSettings {
  readonly url: string;
  readonly leaseMs: number;
  /** Called once when the lease is gone: another server may be active from now on. */
  readonly onLost: (why: string) => void;
  /** Called when another server holds it, and this one waits. */
  readonly onWait: () => void;
}

/**
 * The right to be the one active server of a PostgreSQL database: a row that its holder renews, on a
 * connection of its own and by the database's clock. A lock of the session would not do: a server
 * that is stopped keeps its connection, and so its locks, for as long as it is stopped. What a former
 * holder still tries to write is refused by the epoch (see Database).
 */
export class Lease {
  private readonly holder = randomUUID();
  private client: pg.Client | null = null;
  private timer: NodeJS.Timeout | null = null;
  private renewedAt = 0;
  private over = false;

  private constructor(private readonly settings: LeaseSettings) {}

  /** Waits until this server is the active one; then keeps it so. */
  static async acquire(settings: LeaseSettings): Promise<Lease> {
    const lease = new Lease(settings);
    const client = await lease.connected();
    await client.query(TABLE).catch(async (cause: unknown) => {
      // Two servers may create the table at once; one of them finds it made.
      if (!isDuplicate(cause)) throw cause;
      await client.query(TABLE);
    });
    for (let waited = false; !(await lease.take()); waited = true) {
      if (!waited) settings.onWait();
      await new Promise((resolve) => setTimeout(resolve, settings.leaseMs / 5));
    }
    lease.timer = setInterval(() => void lease.renew(), settings.leaseMs / 4);
    return lease;
  }

  /** Lets the next server have it at once. */
  async release(): Promise<void> {
    this.stop();
    const { client } = this;
    this.client = null;
    if (!client) return;
    await client
      .query(`UPDATE "_lease" SET holder = '', expires_at = '-infinity' WHERE holder = $1`, [
        this.holder,
      ])
      .catch(() => undefined);
    await client.end().catch(() => undefined);
  }

  private async take(): Promise<boolean> {
    const askedAt = performance.now();
    const client = await this.connected();
    const { rowCount } = await client.query(
      `UPDATE "_lease" SET holder = $1, expires_at = now() + $2 * interval '1 millisecond'
       WHERE id = 1 AND (holder = $1 OR expires_at < now())`,
      [this.holder, this.settings.leaseMs],
    );
    if (rowCount === 1) this.renewedAt = askedAt;
    return rowCount === 1;
  }

  private async renew(): Promise<void> {
    if (this.over) return;
    try {
      if (!(await this.take())) this.lose('another server took over');
    } catch (cause) {
      this.client = null;
      const left = this.settings.leaseMs - (performance.now() - this.renewedAt);
      if (left <= 0) this.lose(`it could not be renewed: ${String(cause)}`);
    }
  }

  private lose(why: string): void {
    if (this.over) return;
    this.stop();
    this.settings.onLost(why);
  }

  private stop(): void {
    this.over = true;
    if (this.timer) clearInterval(this.timer);
  }

  private async connected(): Promise<pg.Client> {
    if (this.client) return this.client;
    const client = new pg.Client({
      connectionString: this.settings.url,
      connectionTimeoutMillis: this.settings.leaseMs / 4,
      query_timeout: this.settings.leaseMs / 4,
    });
    client.on('error', () => {
      if (this.client === client) this.client = null;
    });
    await client.connect();
    this.client = client;
    return client;
  }
}

const isDuplicate = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && ['23505', '42P07'].includes(String(cause.code));
