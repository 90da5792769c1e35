import { Controller, Get, Param, Patch, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Accepts, Returns, ZodBody } from '../http/zod.js';
import { Accounts } from './accounts.js';
import { LeastRole } from './least-role.js';
import {
  accountListSchema,
  accountPatchSchema,
  accountRequestSchema,
  accountSchema,
  type AccountPatch,
  type AccountRequest,
  type AccountView,
} from './schemas.js';

/** Accounts over HTTP. */
@ApiTags('access')
@Controller('api/v1/accounts')
export class AccountsController {
  constructor(private readonly accounts: Accounts) {}

  @Get()
  @LeastRole('admin')
  @Returns(accountListSchema)
  list(): Promise<{ accounts: AccountView[] }> {
    return this.accounts.list();
  }

  @Post()
  @LeastRole('admin')
  @Accepts(accountRequestSchema)
  @Returns(accountSchema, 201)
  create(@ZodBody(accountRequestSchema) request: AccountRequest): Promise<AccountView> {
    return this.accounts.create(request);
  }

  /** Changes role or password, disables or enables. */
  @Patch(':name')
  @LeastRole('admin')
  @Accepts(accountPatchSchema)
  @Returns(accountSchema)
  change(
    @Param('name') name: string,
    @ZodBody(accountPatchSchema) patch: AccountPatch,
  ): Promise<AccountView> {
    return this.accounts.change(name, patch);
  }
}
