import { execFile } from 'node:child_process';
import { access, constants, open, readFile, stat, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { dialBroker, type Dialled } from './dial.js';

const ANSWER_MS = 10_000;
const RUNTIME_MS = 60_000;
const PROBE = fileURLToPath(new URL('runtime-probe.js', import.meta.url));

/** A folder, as far as a check wants to know. */
export interface FolderFacts {
  readonly isFolder: boolean;
  readonly writable: boolean;
  /** Permission bits. */
  readonly mode: number;
}

/** An answer over HTTP. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Its `date` header, which the server's clock set; null: none. */
  readonly dateMs: number | null;
}

/** Everything outside that the checks look at. */
export interface Surroundings {
  readonly nodeVersion: string;
  /** Milliseconds since 1970. */
  now(): number;
  /** What the machine, or the control group of this process, allows. */
  memoryBytes(): number;
  /** Free space of the disk that a path is on, or will be on. */
  freeBytes(path: string): Promise<number>;
  /** Null: there is nothing at that path. */
  folder(path: string): Promise<FolderFacts | null>;
  /** Null: there is no such file. @throws when it cannot be read */
  read(path: string): Promise<string | null>;
  /** The first bytes of a file as Latin-1; null: there is none. @throws when it cannot be read */
  readStart(path: string, length: number): Promise<string | null>;
  /** Loads ONNX Runtime and computes with it, in a process that may crash. @throws */
  runRuntime(): Promise<void>;
  /** @throws when nothing answers */
  get(url: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  dial(url: string, authorities: string | undefined): Promise<Dialled>;
  /** The version that a PostgreSQL server says it has. @throws */
  postgresqlVersion(url: string): Promise<string>;
}

/** The real ones. */
export function realSurroundings(signal: AbortSignal): Surroundings {
  const within = (): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  return {
    nodeVersion: process.versions.node,
    now: () => Date.now(),
    memoryBytes: () => Math.min(process.constrainedMemory() || Infinity, totalmem()),
    freeBytes: async (path) => {
      const { bavail, bsize } = await statfs(await nearest(path));
      return bavail * bsize;
    },
    folder: async (path) => {
      const facts = await stat(path).catch(absent);
      if (facts === null) return null;
      const writable = await access(path, constants.W_OK | constants.X_OK).then(
        () => true,
        () => false,
      );
      return { isFolder: facts.isDirectory(), writable, mode: facts.mode & 0o777 };
    },
    read: (path) => readFile(path, 'utf8').catch(absent),
    readStart: async (path, length) => {
      const file = await open(path).catch(absent);
      if (file === null) return null;
      try {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
        return buffer.toString('latin1', 0, bytesRead);
      } finally {
        await file.close();
      }
    },
    runRuntime: async () => {
      await promisify(execFile)(process.execPath, [PROBE], { timeout: RUNTIME_MS, signal });
    },
    get: async (url, headers = {}) => {
      const response = await fetch(url, { signal: within(), headers, redirect: 'manual' });
      const date = Date.parse(response.headers.get('date') ?? '');
      return {
        status: response.status,
        text: await response.text(),
        dateMs: Number.isNaN(date) ? null : date,
      };
    },
    dial: (url, authorities) => dialBroker(url, authorities, within()),
    postgresqlVersion,
  };
}

function absent(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
  throw error;
}

/** The path itself, or the nearest folder above it that is there. */
async function nearest(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    if ((await stat(at).catch(absent)) !== null || at === dirname(at)) return at;
  }
}

async function postgresqlVersion(url: string): Promise<string> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWER_MS });
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string }>(
      `SELECT current_setting('server_version') AS version`,
    );
    return rows[0]?.version ?? 'unknown';
  } finally {
    await client.end();
  }
}
