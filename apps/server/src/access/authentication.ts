import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ServerError } from '../errors.js';
import type { Caller } from './caller.js';
import { OpenIdConnect } from './oidc.js';
import { fromOurPages } from './same-origin.js';
import { tokenInCookies } from './session-cookie.js';
import { isOurs } from './token-secret.js';
import { Tokens } from './tokens.js';

/** Finds out who makes a request, before its body is read. */
@Injectable()
export class Authentication {
  constructor(
    private readonly tokens: Tokens,
    private readonly oidc: OpenIdConnect,
  ) {}

  /** Has every request looked at as it comes in. */
  install(server: FastifyInstance): void {
    server.decorateRequest('caller', null);
    server.addHook('onRequest', async (request) => {
      request.caller = await this.callerOf(request);
    });
  }

  /**
   * A bearer token counts before the cookie. One that is not good is nobody's, so that what is public
   * stays so.
   * @throws ServerError CROSS_ORIGIN for a cookie sent by another site's page
   */
  private async callerOf(request: FastifyRequest): Promise<Caller | null> {
    const { authorization, cookie, host, origin } = request.headers;
    const now = new Date();
    if (authorization !== undefined) {
      const [, bearer] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
      if (bearer === undefined) return null;
      return isOurs(bearer) ? this.tokens.callerOf(bearer, now) : this.oidc.callerOf(bearer);
    }
    const token = tokenInCookies(cookie);
    if (token === null || !isOurs(token)) return null;
    const fetchSite = request.headers['sec-fetch-site'];
    const { method } = request;
    if (!fromOurPages({ method, host, origin, fetchSite: fetchSite?.toString() })) {
      throw new ServerError(
        'CROSS_ORIGIN',
        403,
        'A cookie counts for pages of this server only; programs send Authorization: Bearer.',
      );
    }
    return this.tokens.callerOf(token, now);
  }
}
