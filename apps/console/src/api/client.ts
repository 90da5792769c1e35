import createClient from 'openapi-fetch';
import type { paths } from '../generated/api';

/** What the server answers when it refuses: its stable code, and words for a person. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The whole API, typed by the server's own description. */
export const api = createClient<paths>({
  baseUrl: window.location.origin,
  // A page of another site cannot set a header, so this one shows that the console asked.
  headers: { 'X-Requested-With': 'espalier' },
});

interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** The body of an answer. @throws ApiError when the server refused or could not be reached */
export async function taken<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer.catch((cause: unknown) => {
    throw new ApiError(0, 'OFFLINE', `The server does not answer: ${(cause as Error).message}.`);
  });
  if (response.ok) return data as T;
  throw errorOf(response.status, error);
}

/** What a problem document says, as an error. */
export function errorOf(status: number, problem: unknown): ApiError {
  const { code, detail } = (typeof problem === 'object' && problem !== null ? problem : {}) as {
    code?: unknown;
    detail?: unknown;
  };
  return new ApiError(
    status,
    typeof code === 'string' ? code : 'UNKNOWN',
    typeof detail === 'string' ? detail : `The server answered ${status}.`,
  );
}
