import { z } from 'zod';
import { ApiProblem, CliError } from '../errors.js';

const REQUEST_TIMEOUT_MS = 60_000;
const UPLOAD_TIMEOUT_MS = 30 * 60_000;
const BODY_SHOWN = 300;

const problemSchema = z.object({ code: z.string(), detail: z.string() });

/** The server's HTTP API; every answer is parsed before it is given on. */
export class ApiClient {
  /**
   * @param server address, as `http://host:port`
   * @param token bearer token; null: only what is public can be asked
   */
  constructor(
    readonly server: string,
    private readonly token: string | null,
    private readonly signal: AbortSignal,
  ) {}

  /** The same server, for what must still be said after an interrupt. */
  unsignalled(): ApiClient {
    return new ApiClient(this.server, this.token, new AbortController().signal);
  }

  /** @throws ApiProblem; CliError CLI_UNREACHABLE, CLI_ANSWER */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return this.request('GET', path, schema, undefined);
  }

  /** @throws ApiProblem; CliError CLI_UNREACHABLE, CLI_ANSWER */
  post<T>(path: string, body: object, schema: z.ZodType<T>): Promise<T> {
    return this.request('POST', path, schema, body);
  }

  /** @throws ApiProblem; CliError CLI_UNREACHABLE, CLI_ANSWER */
  patch<T>(path: string, body: object, schema: z.ZodType<T>): Promise<T> {
    return this.request('PATCH', path, schema, body);
  }

  /** @throws ApiProblem; CliError CLI_UNREACHABLE, CLI_ANSWER */
  put<T>(path: string, body: object, schema: z.ZodType<T>): Promise<T> {
    return this.request('PUT', path, schema, body);
  }

  /** @throws ApiProblem; CliError CLI_UNREACHABLE, CLI_ANSWER */
  delete<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return this.request('DELETE', path, schema, undefined);
  }

  private async request<T>(
    method: string,
    path: string,
    schema: z.ZodType<T>,
    body: object | undefined,
  ): Promise<T> {
    const form = body instanceof FormData;
    const { status, text } = await this.send(path, form ? UPLOAD_TIMEOUT_MS : REQUEST_TIMEOUT_MS, {
      method,
      ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body) }),
      headers: {
        ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }),
        ...(body === undefined || form ? {} : { 'content-type': 'application/json' }),
      },
    });
    const answer = parseJson(text);
    if (status >= 400) {
      const problem = problemSchema.safeParse(answer);
      if (problem.success) throw new ApiProblem(problem.data.code, status, problem.data.detail);
      throw new CliError(
        'CLI_ANSWER',
        `${method} ${path} was answered ${status}: ${text.slice(0, BODY_SHOWN)}`,
      );
    }
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new CliError(
      'CLI_ANSWER',
      `${this.server} answers ${method} ${path} in another form than this version knows: ${issue?.path.join('.') || 'the answer'}: ${issue?.message ?? 'not valid'}.`,
    );
  }

  private async send(
    path: string,
    timeoutMs: number,
    init: RequestInit,
  ): Promise<{ status: number; text: string }> {
    const signal = AbortSignal.any([this.signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const response = await fetch(new URL(`/api/v1${path}`, this.server), { ...init, signal });
      return { status: response.status, text: await response.text() };
    } catch (cause) {
      if (this.signal.aborted) throw new CliError('CLI_CANCELLED', 'Interrupted.', { cause });
      throw new CliError(
        'CLI_UNREACHABLE',
        `${this.server} does not answer (${reasonOf(cause)}). Is the server running there? Give its address with --server.`,
        { cause },
      );
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error && 'code' in cause) return String(cause.code);
  return error.message;
}
