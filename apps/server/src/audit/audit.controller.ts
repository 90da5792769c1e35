import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { LeastRole } from '../access/least-role.js';
import { AcceptsQuery, Returns, ZodQuery } from '../http/zod.js';
import { AuditLog } from './audit-log.js';
import {
  auditPageSchema,
  auditQuerySchema,
  auditVerdictSchema,
  type AuditPage,
  type AuditQuery,
  type AuditVerdict,
} from './schemas.js';

/** The audit log over HTTP. */
@ApiTags('access')
@Controller('api/v1/audit')
export class AuditController {
  constructor(private readonly log: AuditLog) {}

  @Get()
  @LeastRole('admin')
  @AcceptsQuery(auditQuerySchema)
  @Returns(auditPageSchema)
  page(@ZodQuery(auditQuerySchema) query: AuditQuery): Promise<AuditPage> {
    return this.log.page(query);
  }

  /** Follows the chain of hashes from the first entry to the last. */
  @Get('verify')
  @LeastRole('admin')
  @Returns(auditVerdictSchema)
  verify(): Promise<AuditVerdict> {
    return this.log.verify();
  }
}
