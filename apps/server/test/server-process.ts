import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { membershipSchema, type EnrolResponse } from '@espalier/protocol';
import { enrolRequest, generateKeyPair, payloadBytes } from '@espalier/trust';

/** Of the account `admin`. */
export const ADMIN_PASSWORD = 'a password for tests';
const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** An answer of the API. */
export interface Answer {
  readonly status: number;
  // The tests read many shapes; each names the fields that it relies on.
  readonly body: Record<string, never>;
}

/** The built server as a process of its own, on free ports and a folder of its own. */
export class ServerProcess {
  private child: ChildProcess | null = null;
  private stderr = '';
  url = '';
  /** Bearer token of the admin, good from the first start on. */
  token = '';
  /** Called with every line of the server's log. */
  onLine: (line: string) => void = () => undefined;

  private constructor(
    readonly dataDir: string,
    private readonly environment: Record<string, string>,
  ) {}

  static async start(environment: Record<string, string> = {}): Promise<ServerProcess> {
    const { next, up } = ServerProcess.begin(environment);
    await up;
    return next;
  }

  /** Starts one that may have to wait; `up` resolves once it is active. */
  static begin(environment: Record<string, string>): { next: ServerProcess; up: Promise<void> } {
    const next = new ServerProcess(mkdtempSync(join(tmpdir(), 'espalier-server-')), environment);
    return { next, up: next.launch() };
  }

  /** Starts the process, again after {@link kill} on the same folder. */
  async launch(extra: Record<string, string> = {}): Promise<void> {
    const child = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        DATA_DIR: this.dataDir,
        PORT: '0',
        BROKER_PORT: '0',
        ESPALIER_SELF_SIGN: '1',
        ESPALIER_ADMIN_PASSWORD: ADMIN_PASSWORD,
        ...this.environment,
        ...extra,
      },
    });
    this.child = child;
    child.stderr.on('data', (part: Buffer) => {
      this.stderr = (this.stderr + part.toString('utf8')).slice(-200_000);
    });
    createInterface({ input: child.stderr }).on('line', (line) => this.onLine(line));
    this.url = await new Promise((resolve, reject) => {
      const ended = (code: number | null, signal: string | null): void =>
        reject(new Error(`The server ended with ${signal ?? String(code)}: ${this.stderr}`));
      child.once('exit', ended);
      createInterface({ input: child.stdout }).once('line', (line) => {
        child.off('exit', ended);
        resolve((JSON.parse(line) as { url: string }).url);
      });
    });
    if (this.token === '') this.token = await this.login('admin', ADMIN_PASSWORD);
  }

  /** Begins a session. @returns its bearer token */
  async login(name: string, password: string): Promise<string> {
    const { token } = await this.ok<{ token: string }>('POST', '/api/v1/sessions', {
      name,
      password,
    });
    return token;
  }

  get log(): string {
    return this.stderr;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** The port of the server's broker, so that it can be had again after a restart. */
  async brokerPort(): Promise<string> {
    const { token } = await this.ok<{ token: string }>('POST', '/api/v1/claim-tokens', {});
    const request = enrolRequest({ token, name: 'port-finder', labels: {} }, generateKeyPair());
    const { membership } = await this.ok<EnrolResponse>('POST', '/api/v1/enrolments', request);
    const text = Buffer.from(payloadBytes(membership)).toString('utf8');
    return new URL(membershipSchema.parse(JSON.parse(text)).brokerUrl).port;
  }

  /** Resolves with the exit code when the process has ended by itself. */
  exited(): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) {
      return Promise.resolve(child?.exitCode ?? null);
    }
    return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    return new Promise((resolve) => {
      child.once('exit', (code) => resolve(code));
      child.kill(signal);
    });
  }

  async dispose(): Promise<void> {
    await this.end('SIGTERM');
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** Calls as the admin, unless another token is given; an empty one is none. */
  async call(method: string, path: string, body?: unknown, token = this.token): Promise<Answer> {
    const multipart = body instanceof FormData;
    const response = await this.fetch(
      path,
      {
        method,
        ...(body === undefined ? {} : { body: multipart ? body : JSON.stringify(body) }),
        ...(body === undefined || multipart
          ? {}
          : { headers: { 'content-type': 'application/json' } }),
      },
      token,
    );
    const text = await response.text();
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as never };
  }

  /** Fetches a path as the admin, unless another token is given. */
  fetch(path: string, init: RequestInit = {}, token = this.token): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token !== '') headers.set('authorization', `Bearer ${token}`);
    return fetch(`${this.url}${path}`, { ...init, headers });
  }

  /** Calls and expects success. */
  async ok<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.call(method, path, body);
    if (answer.status >= 300) {
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body as T;
  }

  /** Asks again until `done`, at most for `seconds`; a server that is down now is asked again. */
  async until<T>(path: string, done: (value: T) => boolean, seconds = 240): Promise<T> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const value = await this.ok<T>('GET', path).catch((cause: unknown) => {
        if ((cause as Error).message === 'fetch failed') return null;
        throw cause;
      });
      if (value !== null && done(value)) return value;
      if (Date.now() > deadline) {
        throw new Error(`${path} after ${seconds} s: ${JSON.stringify(value)}\n${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
