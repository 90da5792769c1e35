import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { ServerError } from '../errors.js';
import type {} from '../audit/audit-trail.js';
import { unauthenticated } from './caller.js';
import { ACCESS, type RouteAccess } from './least-role.js';
import { atLeast } from './roles.js';

const SAFE: readonly string[] = ['GET', 'HEAD'];

/** Lets a request through to a route whose least role its caller has. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  /** @throws ServerError UNAUTHENTICATED, ROLE_NEEDED */
  canActivate(context: ExecutionContext): true {
    const access = this.reflector.get<RouteAccess | undefined>(ACCESS, context.getHandler());
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (!access?.reads && !SAFE.includes(request.method)) request.audited = {};
    if (access?.least === 'public') return true;
    const { caller } = request;
    if (!caller) throw unauthenticated();
    if (access && atLeast(caller.role, access.least)) return true;
    throw new ServerError(
      'ROLE_NEEDED',
      403,
      `This needs the role ${access?.least ?? 'that nobody has'}; ${caller.name} is ${caller.role} here.`,
    );
  }
}
