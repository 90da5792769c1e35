import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import { NotFoundException } from '@nestjs/common';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { problemOf } from './problem.js';

const BUILT = fileURLToPath(new URL('../../../console/dist', import.meta.url));
const PAGE = 'index.html';
const ASSETS = '/assets/';
/** What the server answers itself: a path under one of these is never a page of the console. */
const OWN = /^\/(api|health|metrics|assets)(\/|$)/;

/**
 * Serves the built console at `/`. Files are those that were there at the start; every other path
 * that is not the API's is a page, which the console itself finds. Assets carry the hash of their
 * content in their name and are kept for ever, the page itself never.
 */
export async function serveConsole(fastify: FastifyInstance): Promise<void> {
  const built = existsSync(join(BUILT, PAGE));
  if (built) {
    await fastify.register(fastifyStatic, {
      root: BUILT,
      wildcard: false,
      index: false,
      decorateReply: true,
      preCompressed: true,
      cacheControl: false,
      setHeaders: (reply, path) => {
        const kept = path.includes(ASSETS) ? 'public, max-age=31536000, immutable' : 'no-cache';
        reply.header('cache-control', kept);
      },
    });
  }
  const page = (path: string, reply: FastifyReply): FastifyReply => {
    if (!OWN.test(path) && built) return reply.sendFile(PAGE);
    const why = OWN.test(path)
      ? `Cannot GET ${path}`
      : 'The console is not built; run npm run build. The API is described at /api/docs.';
    return reply
      .status(404)
      .header('content-type', 'application/problem+json')
      .send(problemOf(new NotFoundException(why)));
  };
  for (const url of ['/', '/*']) {
    fastify.get(url, (request, reply) => page(request.url.split('?', 1)[0] ?? '/', reply));
  }
}
