import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CliError } from '../errors.js';

const fileSchema = z.object({
  schemaVersion: z.literal(1),
  /** By the address of the server. */
  servers: z.record(
    z.string(),
    z.object({ name: z.string(), token: z.string(), expiresAt: z.string().nullable() }),
  ),
});

/** What is kept of a login. */
export type KeptLogin = z.infer<typeof fileSchema>['servers'][string];

/** Where logins are kept: `espalier/credentials.json` in the person's configuration folder. */
export const credentialsPath = (environment: NodeJS.ProcessEnv): string =>
  join(environment['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'espalier/credentials.json');

/** The tokens of `espalier login`, by server, in a file that only its owner can read. */
export class KeptLogins {
  constructor(private readonly path: string) {}

  /** The token for a server; null: none is kept. @throws CliError CLI_CREDENTIALS */
  tokenFor(server: string): string | null {
    return this.read()[addressOf(server)]?.token ?? null;
  }

  /** @throws CliError CLI_CREDENTIALS */
  keep(server: string, login: KeptLogin): void {
    this.write({ ...this.read(), [addressOf(server)]: login });
  }

  /** @throws CliError CLI_CREDENTIALS */
  forget(server: string): void {
    const { [addressOf(server)]: gone, ...rest } = this.read();
    if (gone) this.write(rest);
  }

  private read(): Record<string, KeptLogin> {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw unusable(this.path, cause);
    }
    try {
      return fileSchema.parse(JSON.parse(text)).servers;
    } catch (cause) {
      throw unusable(this.path, cause);
    }
  }

  private write(servers: Record<string, KeptLogin>): void {
    const temporary = `${this.path}.${process.pid}.tmp`;
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      const text = JSON.stringify({ schemaVersion: 1, servers }, null, 2);
      writeFileSync(temporary, `${text}\n`, { mode: 0o600, flag: 'wx', flush: true });
      renameSync(temporary, this.path);
    } catch (cause) {
      rmSync(temporary, { force: true });
      throw unusable(this.path, cause);
    }
  }
}

const addressOf = (server: string): string => new URL(server).origin;

const unusable = (path: string, cause: unknown): CliError =>
  new CliError('CLI_CREDENTIALS', `${path} cannot be used; remove it and log in again.`, { cause });
