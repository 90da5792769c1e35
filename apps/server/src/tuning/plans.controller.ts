import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { LeastRole } from '../access/least-role.js';
import { Accepts, Returns, ZodBody } from '../http/zod.js';
import { Plans } from './plans.js';
import {
  planRequestSchema,
  planSchema,
  planPreviewSchema,
  type PlanPreview,
  type PlanRequest,
  type PlanView,
} from './schemas.js';

/** Plans over HTTP. */
@ApiTags('plans')
@Controller('api/v1/plans')
export class PlansController {
  constructor(private readonly plans: Plans) {}

  @Post()
  @LeastRole('operator')
  @Accepts(planRequestSchema)
  @Returns(planSchema, 201)
  create(@ZodBody(planRequestSchema) request: PlanRequest): Promise<PlanView> {
    return this.plans.create(request);
  }

  /** What a plan would say, with every candidate's cost on each device; nothing is stored. */
  @Post('preview')
  @LeastRole('viewer', { reads: true })
  @HttpCode(200)
  @Accepts(planRequestSchema)
  @Returns(planPreviewSchema)
  preview(@ZodBody(planRequestSchema) request: PlanRequest): Promise<PlanPreview> {
    return this.plans.preview(request);
  }

  @Get(':id')
  @LeastRole('viewer')
  @Returns(planSchema)
  get(@Param('id') id: string): Promise<PlanView> {
    return this.plans.get(id);
  }
}
