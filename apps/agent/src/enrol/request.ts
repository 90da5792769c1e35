import { enrolResponseSchema, type EnrolResponse } from '@espalier/protocol';
import { z } from 'zod';
import { AgentError } from '../errors.js';

const ANSWER_LIMIT_BYTES = 256 * 1024;
const ANSWER_TIMEOUT_MS = 15_000;

/** The server cannot be reached, or cannot answer now: the same request may be made again. */
export class ServerAway extends Error {
  override readonly name = 'ServerAway';
}

/**
 * Asks the server once for a membership.
 * @throws ServerAway
 * @throws AgentError ENROL_REFUSED, ENROL_ANSWER
 */
export async function requestMembership(url: URL, body: object): Promise<EnrolResponse> {
  const { status, text } = await post(url, body);
  if (status < 300) return parseAnswer(text);
  if (status >= 500 || status === 429) throw new ServerAway(`The server answers ${status}.`);
  throw new AgentError(
    'ENROL_REFUSED',
    `The server refused the request (${status}): ${reasonIn(text).slice(0, 300)}`,
  );
}

async function post(url: URL, body: object): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return { status: response.status, text: await boundedText(response) };
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw new ServerAway('The server cannot be reached.', { cause });
  }
}

async function boundedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.byteLength;
    if (length > ANSWER_LIMIT_BYTES) {
      throw new AgentError(
        'ENROL_ANSWER',
        `The answer is longer than ${ANSWER_LIMIT_BYTES} bytes.`,
      );
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parseAnswer(text: string): EnrolResponse {
  try {
    return enrolResponseSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AgentError('ENROL_ANSWER', 'The server’s answer is no membership.', { cause });
  }
}

/** What a problem document says; the text itself when it is none. */
function reasonIn(text: string): string {
  const problem = z.object({ code: z.string(), detail: z.string() }).partial();
  try {
    const { code, detail } = problem.parse(JSON.parse(text));
    return [code, detail].filter(Boolean).join(': ');
  } catch {
    return text;
  }
}
