import {
  Catch,
  HttpException,
  Logger,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {} from '../audit/audit-trail.js';
import { ServerError } from '../errors.js';

/** Body of an error, as RFC 9457 has it, with our stable code. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not logged in',
  403: 'Not allowed',
  404: 'Not found',
  409: 'In conflict',
  413: 'Too large',
  422: 'Cannot be done',
  429: 'Too often',
  500: 'Internal error',
  503: 'Busy',
  507: 'No room',
};

/** Status of the coded errors that come from libraries: what the caller sent could not be used. */
const LIBRARY_STATUS: readonly (readonly [prefix: string, status: number])[] = [
  ['COMPRESS_', 422],
  ['ONNX_', 422],
  ['DATASET_', 422],
  ['CARD_', 422],
  ['TUNING_', 422],
  ['ROLLOUT_', 422],
  ['TRUST_', 403],
  ['PROTOCOL_', 400],
  ['FST_REQ_FILE_TOO_LARGE', 413],
  ['FST_FILES_LIMIT', 400],
  ['FST_PARTS_LIMIT', 400],
  ['FST_FIELDS_LIMIT', 400],
  ['FST_INVALID_MULTIPART', 400],
  ['FST_ERR_CTP_BODY_TOO_LARGE', 413],
  ['FST_ERR_CTP', 400],
];

/** What HTTP says of an error; of one that is none of ours it says no more than that. */
export function problemOf(error: unknown): Problem {
  const problem = (status: number, code: string, detail: string): Problem => ({
    type: `urn:espalier:error:${code}`,
    title: TITLES[status] ?? 'Error',
    status,
    detail,
    code,
  });
  if (error instanceof ServerError) return problem(error.status, error.code, error.message);
  if (error instanceof HttpException) {
    const status = error.getStatus();
    return problem(status, status === 404 ? 'NOT_FOUND' : 'REQUEST_INVALID', error.message);
  }
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    const { code } = error;
    const known = LIBRARY_STATUS.find(([prefix]) => code.startsWith(prefix));
    if (known) return problem(known[1], code, error.message);
  }
  return problem(500, 'SERVER_INTERNAL', 'The server failed; its log says more.');
}

/** Answers every error with problem+json. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('http');

  catch(error: unknown, host: ArgumentsHost): void {
    const problem = problemOf(error);
    if (problem.status >= 500) this.logger.error(error);
    const http = host.switchToHttp();
    const { audited } = http.getRequest<FastifyRequest>();
    if (audited) audited.code = problem.code;
    const reply = http.getResponse<FastifyReply>();
    if (reply.sent) return;
    // What is left of a refused upload is not read, so the connection cannot serve another request.
    if (!http.getRequest<FastifyRequest>().raw.complete) reply.header('connection', 'close');
    if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
    void reply
      .status(problem.status)
      .header('content-type', 'application/problem+json')
      .send(problem);
  }
}
