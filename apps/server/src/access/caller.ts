import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ServerError } from '../errors.js';
import type { Role } from './roles.js';

/** Who makes a request. */
export interface Caller {
  /** The account's name; of one that an identity provider vouches for, `oidc:` and its name. */
  readonly name: string;
  readonly role: Role;
  /** How it proved that: by a session, by a token made for a program, or by its identity provider. */
  readonly by: 'session' | 'api' | 'oidc';
  /** Id of the token; of the identity provider's, its subject. */
  readonly id: string;
  /** Null: until it is revoked. */
  readonly expiresAt: Date | null;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Null: nobody known. */
    caller: Caller | null;
  }
}

/** The caller of a route that is not public. */
export const CalledBy = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<FastifyRequest>();
  if (caller) return caller;
  throw unauthenticated();
});

/** What a request without a good token or session is answered with. */
export const unauthenticated = (): ServerError =>
  new ServerError(
    'UNAUTHENTICATED',
    401,
    'Log in with POST /api/v1/sessions or `espalier login`, or send a token as Authorization: Bearer.',
  );
