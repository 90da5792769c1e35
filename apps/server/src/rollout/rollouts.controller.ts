import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { rolloutPreviewSchema, rolloutReplaySchema, type RolloutPreview } from '@espalier/protocol';
import { CalledBy, type Caller } from '../access/caller.js';
import { LeastRole } from '../access/least-role.js';
import { Accepts, Returns, ZodBody } from '../http/zod.js';
import { Previews } from './previews.js';
import { RolloutViews } from './rollout-views.js';
import { Rollouts } from './rollouts.js';
import {
  abortSchema,
  approvalSchema,
  decisionListSchema,
  orderSchema,
  resumeSchema,
  rolloutListSchema,
  rolloutRequestSchema,
  rolloutViewSchema,
  type AbortRequest,
  type OrderRequest,
  type ResumeRequest,
  type RolloutRequest,
  type RolloutView,
} from './schemas.js';

/** Rollouts, and orders to them, over HTTP. */
@ApiTags('rollouts')
@Controller('api/v1/rollouts')
export class RolloutsController {
  constructor(
    private readonly rollouts: Rollouts,
    private readonly views: RolloutViews,
    private readonly previews: Previews,
  ) {}

  @Post()
  @LeastRole('operator')
  @Accepts(rolloutRequestSchema)
  @Returns(rolloutViewSchema, 201)
  async create(@ZodBody(rolloutRequestSchema) request: RolloutRequest): Promise<RolloutView> {
    return this.views.get(await this.rollouts.create(request));
  }

  /** What the rollout would do; nothing is written. */
  @Post('preview')
  @LeastRole('viewer', { reads: true })
  @HttpCode(200)
  @Accepts(rolloutRequestSchema)
  @Returns(rolloutPreviewSchema)
  preview(@ZodBody(rolloutRequestSchema) request: RolloutRequest): Promise<RolloutPreview> {
    return this.previews.of(request);
  }

  @Get()
  @LeastRole('viewer')
  @Returns(rolloutListSchema)
  list(): Promise<z.infer<typeof rolloutListSchema>> {
    return this.views.list();
  }

  @Get(':id')
  @LeastRole('viewer')
  @Returns(rolloutViewSchema)
  get(@Param('id') id: string): Promise<RolloutView> {
    return this.views.get(id);
  }

  @Get(':id/decisions')
  @LeastRole('viewer')
  @Returns(decisionListSchema)
  decisions(@Param('id') id: string): Promise<z.infer<typeof decisionListSchema>> {
    return this.views.decisions(id);
  }

  @Get(':id/replay')
  @LeastRole('viewer')
  @Returns(rolloutReplaySchema)
  replay(@Param('id') id: string): Promise<z.infer<typeof rolloutReplaySchema>> {
    return this.views.replay(id);
  }

  @Post(':id/start')
  @LeastRole('operator')
  @HttpCode(200)
  @Accepts(orderSchema)
  @Returns(rolloutViewSchema)
  async start(
    @Param('id') id: string,
    @CalledBy() { name: by }: Caller,
    @ZodBody(orderSchema) order: OrderRequest,
  ): Promise<RolloutView> {
    await this.rollouts.order(id, { type: 'start', by, ...order });
    return this.views.get(id);
  }

  @Post(':id/approve')
  @LeastRole('operator')
  @HttpCode(200)
  @Accepts(approvalSchema)
  @Returns(rolloutViewSchema)
  async approve(
    @Param('id') id: string,
    @CalledBy() { name: by }: Caller,
    @ZodBody(approvalSchema) order: OrderRequest,
  ): Promise<RolloutView> {
    await this.rollouts.order(id, { type: 'approve', by, ...order });
    return this.views.get(id);
  }

  @Post(':id/pause')
  @LeastRole('operator')
  @HttpCode(200)
  @Accepts(orderSchema)
  @Returns(rolloutViewSchema)
  async pause(
    @Param('id') id: string,
    @CalledBy() { name: by }: Caller,
    @ZodBody(orderSchema) order: OrderRequest,
  ): Promise<RolloutView> {
    await this.rollouts.order(id, { type: 'pause', by, ...order });
    return this.views.get(id);
  }

  @Post(':id/resume')
  @LeastRole('operator')
  @HttpCode(200)
  @Accepts(resumeSchema)
  @Returns(rolloutViewSchema)
  async resume(
    @Param('id') id: string,
    @CalledBy() { name: by }: Caller,
    @ZodBody(resumeSchema) { promote, ...order }: ResumeRequest,
  ): Promise<RolloutView> {
    await this.rollouts.order(id, { type: promote ? 'promote' : 'resume', by, ...order });
    return this.views.get(id);
  }

  @Post(':id/abort')
  @LeastRole('operator')
  @HttpCode(200)
  @Accepts(abortSchema)
  @Returns(rolloutViewSchema)
  async abort(
    @Param('id') id: string,
    @CalledBy() { name: by }: Caller,
    @ZodBody(abortSchema) order: AbortRequest,
  ): Promise<RolloutView> {
    await this.rollouts.order(id, { type: 'abort', by, ...order });
    return this.views.get(id);
  }
}
