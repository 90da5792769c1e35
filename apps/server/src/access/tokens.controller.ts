import { Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Accepts, Returns, ZodBody } from '../http/zod.js';
import { CalledBy, type Caller } from './caller.js';
import { LeastRole } from './least-role.js';
import {
  newTokenSchema,
  tokenListSchema,
  tokenRequestSchema,
  type NewToken,
  type TokenRequest,
  type TokenView,
} from './schemas.js';
import { Tokens } from './tokens.js';

/** Tokens for programs over HTTP. */
@ApiTags('access')
@Controller('api/v1/tokens')
export class TokensController {
  constructor(private readonly tokens: Tokens) {}

  /** Makes a token for a program; its text is told this once. */
  @Post()
  @LeastRole('viewer')
  @Accepts(tokenRequestSchema)
  @Returns(newTokenSchema, 201)
  create(
    @CalledBy() caller: Caller,
    @ZodBody(tokenRequestSchema) request: TokenRequest,
  ): Promise<NewToken> {
    return this.tokens.create(caller, request);
  }

  /** The caller's own tokens; to an admin all of them. */
  @Get()
  @LeastRole('viewer')
  @Returns(tokenListSchema)
  list(@CalledBy() caller: Caller): Promise<{ tokens: TokenView[] }> {
    return this.tokens.list(caller);
  }

  @Delete(':id')
  @LeastRole('viewer')
  @HttpCode(204)
  revoke(@CalledBy() caller: Caller, @Param('id') id: string): Promise<void> {
    return this.tokens.revoke(caller, id);
  }
}
