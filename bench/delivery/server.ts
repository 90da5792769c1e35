import { fileURLToPath } from 'node:url';
import { Child, jsonOf, until } from './child.js';

/** Of the account `admin`. */
export const ADMIN_PASSWORD = 'a password for benchmarks';
const MAIN = fileURLToPath(new URL('../../apps/server/dist/main.js', import.meta.url));

/** The built server as a process of its own. */
export class Server {
  #child: Child | null = null;
  #url = '';
  #token = '';
  /** When a decision of a rollout was committed, milliseconds since 1970. */
  readonly decisions: { readonly at: number; readonly outcome: string }[] = [];

  /** @param profileDir where processor profiles go; null: none are made */
  constructor(
    private readonly dataDir: string,
    private readonly profileDir: string | null = null,
  ) {}

  get url(): string {
    return this.#url;
  }

  /** Bearer token of the admin. */
  get token(): string {
    return this.#token;
  }

  async start(environment: Readonly<Record<string, string>>): Promise<void> {
    this.#url = '';
    this.#child = new Child(
      process.execPath,
      [...this.#profiling(), MAIN],
      {
        ...{ DATA_DIR: this.dataDir, PORT: '0', ESPALIER_SELF_SIGN: '1' },
        // A fleet of thousands enrols from this one address.
        REQUESTS_PER_MINUTE: '1000000',
        ...{ ESPALIER_ADMIN_PASSWORD: ADMIN_PASSWORD, ...environment },
      },
      (line) => this.#read(line),
    );
    await until(() => this.#url !== '', 'the server', 30).catch((cause: unknown) => {
      throw new Error(this.#child?.log, { cause });
    });
    const login = { name: 'admin', password: ADMIN_PASSWORD };
    this.#token = (await this.call<{ token: string }>('POST', '/api/v1/sessions', login)).token;
  }

  async stop(): Promise<void> {
    await this.#child?.end();
  }

  /** Ends it at once, with SIGKILL. */
  async kill(): Promise<void> {
    await this.#child?.end('SIGKILL');
  }

  /** Calls the API and expects success. */
  async call<T>(method: string, path: string, body?: FormData | object): Promise<T> {
    const isForm = body instanceof FormData;
    const response = await fetch(`${this.#url}${path}`, {
      method,
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
      headers: {
        ...(this.#token === '' ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }),
      },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  #profiling(): string[] {
    return this.profileDir === null ? [] : ['--cpu-prof', '--cpu-prof-dir', this.profileDir];
  }

  #read(line: string): void {
    const said = jsonOf(line);
    if (said?.['event'] === 'listening') this.#url = String(said['url']);
    if (said?.['msg'] !== 'decision') return;
    const { outcome } = said['decision'] as { outcome?: string };
    this.decisions.push({ at: Number(said['time']), outcome: outcome ?? '' });
  }
}
