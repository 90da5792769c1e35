import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

const DEBIAN = '/usr/lib/postgresql';

/** Where PostgreSQL's programs are; null: it is not installed. */
export function postgresPrograms(): string | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort() : [];
  const folder = versions.map((version) => join(DEBIAN, version, 'bin')).at(-1);
  return folder !== undefined && existsSync(join(folder, 'postgres')) ? folder : null;
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

/** PostgreSQL refuses to run as root: the account that it runs under then. */
function account(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  for (const name of ['postgres', 'nobody']) {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((one) => one.startsWith(`${name}:`));
    const [, , uid, gid] = line?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('There is no account that PostgreSQL could run under.');
}

/** A PostgreSQL cluster of a test: a temporary folder, a free port, nobody else. */
export class PostgresCluster {
  private databases = 0;

  private constructor(
    private readonly folder: string,
    private readonly process: ChildProcess,
    private readonly port: number,
  ) {}

  static async start(): Promise<PostgresCluster> {
    const programs = postgresPrograms();
    if (programs === null) throw new Error('PostgreSQL is not installed.');
    const as = account();
    const folder = mkdtempSync(join(tmpdir(), 'espalier-postgres-'));
    if (as) chownSync(folder, as.uid, as.gid);
    const data = join(folder, 'data');
    const made = spawnSync(
      join(programs, 'initdb'),
      ['-D', data, '-U', 'espalier', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
      { ...as, cwd: folder, encoding: 'utf8' },
    );
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
    const port = await freePort();
    const child = spawn(
      join(programs, 'postgres'),
      ['-D', data, '-p', String(port), '-k', folder, '-h', '127.0.0.1', '-c', 'fsync=off'],
      { ...as, cwd: folder, stdio: 'ignore' },
    );
    const cluster = new PostgresCluster(folder, child, port);
    await cluster.answers();
    return cluster;
  }

  /** A new database. @returns its URL */
  async database(): Promise<string> {
    this.databases += 1;
    const name = `test_${this.databases}`;
    const client = new pg.Client({ connectionString: this.url('postgres') });
    await client.connect();
    await client.query(`CREATE DATABASE ${name}`);
    await client.end();
    return this.url(name);
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGINT');
      await once(this.process, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private url(database: string): string {
    return `postgresql://espalier@127.0.0.1:${this.port}/${database}`;
  }

  private async answers(): Promise<void> {
    for (let attempt = 0; attempt < 1_200; attempt += 1) {
      const client = new pg.Client({ connectionString: this.url('postgres') });
      const open = await client.connect().then(
        () => true,
        () => false,
      );
      await client.end().catch(() => undefined);
      if (open) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('PostgreSQL does not answer.');
  }
}
