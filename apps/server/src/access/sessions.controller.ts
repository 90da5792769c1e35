import { Controller, Delete, Get, HttpCode, Post, Put, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Accepts, Returns, ZodBody } from '../http/zod.js';
import { CalledBy, type Caller } from './caller.js';
import { LeastRole } from './least-role.js';
import { Logins } from './logins.js';
import {
  loginSchema,
  newSessionSchema,
  passwordChangeSchema,
  sessionSchema,
  type LoginRequest,
  type NewSession,
  type PasswordChange,
  type SessionView,
} from './schemas.js';
import { noSessionCookie, sessionCookie } from './session-cookie.js';
import { Tokens } from './tokens.js';

/** Log-in and log-out over HTTP. */
@ApiTags('access')
@Controller('api/v1/sessions')
export class SessionsController {
  constructor(
    private readonly logins: Logins,
    private readonly tokens: Tokens,
  ) {}

  /** Logs in; the token is also set as a cookie, for the console. */
  @Post()
  @LeastRole('public')
  @Accepts(loginSchema)
  @Returns(newSessionSchema, 201)
  async begin(
    @ZodBody(loginSchema) login: LoginRequest,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<NewSession> {
    if (request.audited) request.audited.actor = login.name;
    const session = await this.logins.begin(login, request.ip);
    const expiresAt = new Date(session.expiresAt ?? 0);
    const secure = request.protocol === 'https';
    reply.header('set-cookie', sessionCookie(session.token, expiresAt, secure));
    return session;
  }

  @Get('current')
  @LeastRole('viewer')
  @Returns(sessionSchema)
  current(@CalledBy() { name, role, expiresAt }: Caller): SessionView {
    return { account: { name, role }, expiresAt: expiresAt?.toISOString() ?? null };
  }

  /** Logs out. */
  @Delete('current')
  @LeastRole('viewer')
  @HttpCode(204)
  async end(
    @CalledBy() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    if (caller.by === 'session') await this.tokens.end(caller.id);
    reply.header('set-cookie', noSessionCookie(request.protocol === 'https'));
  }

  /** Changes the caller's own password; its other sessions end. */
  @Put('current/password')
  @LeastRole('viewer')
  @HttpCode(204)
  @Accepts(passwordChangeSchema)
  changePassword(
    @CalledBy() caller: Caller,
    @ZodBody(passwordChangeSchema) change: PasswordChange,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    return this.logins.changePassword(caller, change, request.ip);
  }
}
