import { counterSchema, sha256Schema } from '@espalier/protocol';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { z } from 'zod';
import { AgentError } from '../errors.js';

const MOST_BYTES = 4096;
const PATH = '/v1/feedback';

/** What an application learned about the inferences of one model: how many, and how many were right. */
const feedbackSchema = z
  .strictObject({
    modelSha256: sha256Schema,
    labelled: counterSchema.min(1),
    correct: counterSchema,
  })
  .refine(({ labelled, correct }) => correct <= labelled, 'correct is more than labelled');

export type Feedback = z.infer<typeof feedbackSchema>;

/** Reads one piece of feedback, or says what is wrong with it. */
export function parseFeedback(text: string): { feedback: Feedback } | { problem: string } {
  const parsed = feedbackSchema.safeParse(parse(text));
  if (parsed.success) return { feedback: parsed.data };
  const issue = parsed.error.issues[0];
  const where = issue && issue.path.length > 0 ? issue.path.join('.') : 'the body';
  return { problem: `${where}: ${issue?.message ?? 'is not valid'}.` };
}

/** Counts what is fed back; false when that model is not the one that serves. */
export type TakeFeedback = (
  modelSha256: string,
  counts: { labelled: number; correct: number },
) => boolean;

/** Takes labels from applications on this device, over HTTP on loopback alone. */
export class FeedbackServer {
  private constructor(private readonly server: Server) {}

  /** @throws AgentError AGENT_OPTIONS when the port cannot be had */
  static async listen(port: number, take: TakeFeedback): Promise<FeedbackServer> {
    const server = createServer((request, response) => {
      void answer(request, take).then(({ status, code, message }) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(code === null ? '' : JSON.stringify({ code, message }));
        // What is left of a refused body is not read.
        if (!request.complete) request.destroy();
      });
    });
    server.requestTimeout = 5_000;
    server.maxConnections = 16;
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new AgentError('AGENT_OPTIONS', `--feedback-port ${port}: ${why}`, { cause });
    }
    return new FeedbackServer(server);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

interface Answer {
  readonly status: number;
  readonly code: string | null;
  readonly message: string;
}

async function answer(request: IncomingMessage, take: TakeFeedback): Promise<Answer> {
  if (request.url !== PATH || request.method !== 'POST') {
    return { status: 404, code: 'NOT_FOUND', message: `Only POST ${PATH} is answered.` };
  }
  const body = await readBody(request);
  if (body === null) {
    return { status: 413, code: 'FEEDBACK_TOO_LARGE', message: `At most ${MOST_BYTES} bytes.` };
  }
  const parsed = parseFeedback(body);
  if ('problem' in parsed) {
    return { status: 400, code: 'FEEDBACK_INVALID', message: parsed.problem };
  }
  const { modelSha256, ...counts } = parsed.feedback;
  return take(modelSha256, counts)
    ? { status: 204, code: null, message: '' }
    : { status: 409, code: 'FEEDBACK_OTHER_MODEL', message: 'That model does not serve now.' };
}

/** The body, or null when it is too large or breaks off. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      bytes += part.byteLength;
      if (bytes > MOST_BYTES) return null;
      parts.push(part);
    }
  } catch {
    return null;
  }
  return Buffer.concat(parts).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
