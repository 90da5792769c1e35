import { Injectable, Logger } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Attempts } from '../access/attempts.js';
import { AuditLog } from './audit-log.js';

/** Refusals of callers that nobody knows are kept up to this for a route, so that they cannot fill the disk. */
const STRANGERS = { failures: 30, windowMs: 15 * 60_000, keys: 10_000 } as const;
/** Refused before anything was looked at. */
const TOO_OFTEN = 429;
const LARGEST_ANSWER_READ = 1_000_000;

/** What a request adds to the audit log. */
export interface Audited {
  /** Who asks, where that is not its caller. */
  actor?: string;
  /** Code of the error that it was answered with. */
  code?: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Null: it changes nothing. */
    audited: Audited | null;
  }
}

/** Has every API call that may change something appended to the audit log before it is answered. */
@Injectable()
export class AuditTrail {
  private readonly logger = new Logger('audit');
  private readonly strangers = new Attempts(STRANGERS);

  constructor(private readonly log: AuditLog) {}

  install(server: FastifyInstance): void {
    server.decorateRequest('audited', null);
    server.addHook('onSend', async (request, reply, payload) => {
      if (request.audited) await this.record(request, request.audited, reply, payload);
    });
  }

  private async record(
    request: FastifyRequest,
    { actor, code }: Audited,
    reply: FastifyReply,
    payload: unknown,
  ): Promise<void> {
    const { statusCode } = reply;
    const outcome = statusCode < 400 ? 'done' : statusCode < 500 ? 'refused' : 'failed';
    const action = `${request.method} ${request.routeOptions.url ?? ''}`;
    if (statusCode === TOO_OFTEN || !this.worthKeeping(request, action, outcome)) return;
    const act = {
      actor: request.caller?.name ?? actor ?? 'anyone',
      action,
      object: objectOf(request, statusCode, payload),
      outcome,
      code: code ?? null,
      address: request.ip,
    } as const;
    await this.log.append(act).catch((cause: unknown) => {
      this.logger.error({ msg: 'not in the audit log', act, why: String(cause) });
    });
  }

  private worthKeeping({ caller, ip }: FastifyRequest, action: string, outcome: string): boolean {
    if (caller || outcome === 'done') return true;
    const now = Date.now();
    const key = `${ip} ${action}`;
    if (this.strangers.waitMs(key, now) > 0) return false;
    this.strangers.fail(key, now);
    return true;
  }
}

/** The path, and what was made under it. */
function objectOf(request: FastifyRequest, status: number, payload: unknown): string {
  const [path = ''] = request.url.split('?');
  const made = status === 201 ? madeIn(payload) : null;
  return made === null ? path : `${path}/${made}`;
}

function madeIn(payload: unknown): string | null {
  if (typeof payload !== 'string' || payload.length > LARGEST_ANSWER_READ) return null;
  const answer = JSON.parse(payload) as Record<string, unknown>;
  const made = answer['id'] ?? answer['deviceId'] ?? answer['name'];
  return typeof made === 'string' ? made : null;
}
