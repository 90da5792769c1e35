import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { parseJson } from '@espalier/protocol';
import type { Configuration } from '../configuration.js';
import { ServerError } from '../errors.js';

/** Largest JSON body, and largest request line and headers together. */
export const HTTP_LIMITS = { bodyBytes: 1024 * 1024, headerBytes: 16 * 1024 } as const;

const MOST_CONNECTIONS = 4096;
const MINUTE_MS = 60_000;
const CALLERS_REMEMBERED = 10_000;
const YEAR_S = 31_536_000;

const SELF = "'self'";
/** What a page of ours may load: our own files, and styles that a chart sets. */
const CONTENT_SECURITY = {
  defaultSrc: [SELF],
  scriptSrc: [SELF],
  styleSrc: [SELF, "'unsafe-inline'"],
  imgSrc: [SELF, 'data:', 'blob:'],
  fontSrc: [SELF, 'data:'],
  connectSrc: [SELF],
  workerSrc: [SELF, 'blob:'],
  objectSrc: ["'none'"],
  baseUri: ["'none'"],
  formAction: [SELF],
  frameAncestors: ["'none'"],
};

/** Bounds what a request may be and how often it may come, and sets what browsers hold to. */
export async function harden(
  app: NestFastifyApplication,
  { requestsPerMinute }: Configuration,
): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY },
    hsts: { maxAge: YEAR_S, includeSubDomains: false },
  });
  await app.register(rateLimit, {
    max: requestsPerMinute,
    timeWindow: MINUTE_MS,
    cache: CALLERS_REMEMBERED,
    keyGenerator: ({ caller, ip }) => caller?.id ?? ip,
    errorResponseBuilder: (_, { ttl }) =>
      new ServerError(
        'RATE_LIMITED',
        429,
        `More than ${requestsPerMinute} requests in a minute; try again in ${Math.ceil(ttl / 1000)} s.`,
      ),
  });
  app.useBodyParser('application/json', { bodyLimit: HTTP_LIMITS.bodyBytes }, (_, body, done) => {
    try {
      done(null, parseJson(body as Buffer));
    } catch (cause) {
      done(cause as Error);
    }
  });
  const fastify = app.getHttpAdapter().getInstance();
  fastify.server.maxConnections = MOST_CONNECTIONS;
  fastify.addHook('onSend', async (request, reply) => {
    if (request.url.startsWith('/api/v1/')) reply.header('cache-control', 'no-store');
  });
}
