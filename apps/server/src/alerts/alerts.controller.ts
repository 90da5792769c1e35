import { Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { CalledBy, type Caller } from '../access/caller.js';
import { LeastRole } from '../access/least-role.js';
import { Accepts, AcceptsQuery, Returns, ZodBody, ZodQuery } from '../http/zod.js';
import { AlertRules } from './alert-rules.js';
import { Alerts } from './alerts.js';
import {
  alertQuerySchema,
  alertSchema,
  alertsSchema,
  ruleRequestSchema,
  ruleSchema,
  rulesSchema,
  type AlertQuery,
  type AlertView,
  type RuleRequest,
  type RuleView,
} from './schemas.js';

/** Alerts and their rules over HTTP. */
@ApiTags('alerts')
@Controller('api/v1')
export class AlertsController {
  constructor(
    private readonly rules: AlertRules,
    private readonly alerts: Alerts,
  ) {}

  @Get('alert-rules')
  @LeastRole('viewer')
  @Returns(rulesSchema)
  async listRules(): Promise<z.infer<typeof rulesSchema>> {
    return { rules: await this.rules.list() };
  }

  @Post('alert-rules')
  @LeastRole('operator')
  @Accepts(ruleRequestSchema)
  @Returns(ruleSchema, 201)
  createRule(@ZodBody(ruleRequestSchema) request: RuleRequest): Promise<RuleView> {
    return this.rules.create(request);
  }

  @Delete('alert-rules/:id')
  @LeastRole('operator')
  @HttpCode(204)
  removeRule(@Param('id') id: string): Promise<void> {
    return this.rules.remove(id);
  }

  @Get('alerts')
  @LeastRole('viewer')
  @AcceptsQuery(alertQuerySchema)
  @Returns(alertsSchema)
  async list(@ZodQuery(alertQuerySchema) query: AlertQuery): Promise<z.infer<typeof alertsSchema>> {
    return { alerts: await this.alerts.list(query) };
  }

  /** Somebody has seen it; from then on it no longer holds rollouts. */
  @Post('alerts/:id/acknowledge')
  @LeastRole('operator')
  @HttpCode(200)
  @Returns(alertSchema)
  acknowledge(@Param('id') id: string, @CalledBy() { name: by }: Caller): Promise<AlertView> {
    return this.alerts.acknowledge(id, by);
  }
}
