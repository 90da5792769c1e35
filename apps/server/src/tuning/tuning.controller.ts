import { Controller, Delete, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { CalledBy, type Caller } from '../access/caller.js';
import { LeastRole } from '../access/least-role.js';
import { Accepts, Returns, ZodBody } from '../http/zod.js';
import { GroupBudgets } from './group-budgets.js';
import { Policies } from './policies.js';
import { Proposals } from './proposals.js';
import {
  deviceBudgetSchema,
  groupBudgetRequestSchema,
  groupBudgetsSchema,
  policiesSchema,
  policyRequestSchema,
  policySchema,
  proposalSchema,
  proposalsSchema,
  type DeviceBudget,
  type GroupBudgetRequest,
  type PolicyRequest,
  type PolicyView,
  type ProposalView,
} from './schemas.js';

/** Budgets, policies and proposals over HTTP. */
@ApiTags('tuning')
@Controller('api/v1')
export class TuningController {
  constructor(
    private readonly budgets: GroupBudgets,
    private readonly policies: Policies,
    private readonly proposals: Proposals,
  ) {}

  @Get('budgets')
  @LeastRole('viewer')
  @Returns(groupBudgetsSchema)
  listBudgets(): Promise<z.infer<typeof groupBudgetsSchema>> {
    return this.budgets.list();
  }

  /** Sets what devices with certain labels may spend; without labels, the fleet's default. */
  @Put('budgets')
  @LeastRole('operator')
  @Accepts(groupBudgetRequestSchema)
  @Returns(groupBudgetsSchema)
  putBudget(
    @ZodBody(groupBudgetRequestSchema) request: GroupBudgetRequest,
  ): Promise<z.infer<typeof groupBudgetsSchema>> {
    return this.budgets.put(request);
  }

  /** The budget that holds for a device: the groups' that it belongs to, and its own over them. */
  @Get('devices/:id/budget')
  @LeastRole('viewer')
  @Returns(deviceBudgetSchema)
  budgetOf(@Param('id') id: string): Promise<DeviceBudget> {
    return this.budgets.of(id);
  }

  @Get('policies')
  @LeastRole('viewer')
  @Returns(policiesSchema)
  async listPolicies(): Promise<z.infer<typeof policiesSchema>> {
    return { policies: await this.policies.list() };
  }

  /** Keeps a release fitting to the devices that match, now and later. */
  @Post('policies')
  @LeastRole('operator')
  @Accepts(policyRequestSchema)
  @Returns(policySchema, 201)
  createPolicy(@ZodBody(policyRequestSchema) request: PolicyRequest): Promise<PolicyView> {
    return this.policies.create(request);
  }

  @Delete('policies/:id')
  @LeastRole('operator')
  @HttpCode(204)
  removePolicy(@Param('id') id: string): Promise<void> {
    return this.policies.remove(id);
  }

  @Get('proposals')
  @LeastRole('viewer')
  @Returns(proposalsSchema)
  listProposals(): Promise<z.infer<typeof proposalsSchema>> {
    return this.proposals.list();
  }

  @Get('proposals/:id')
  @LeastRole('viewer')
  @Returns(proposalSchema)
  getProposal(@Param('id') id: string): Promise<ProposalView> {
    return this.proposals.get(id);
  }

  /** Makes it a rollout, and starts that. */
  @Post('proposals/:id/push')
  @LeastRole('operator')
  @HttpCode(200)
  @Returns(proposalSchema)
  push(@Param('id') id: string, @CalledBy() { name: by }: Caller): Promise<ProposalView> {
    return this.proposals.push(id, by);
  }

  @Post('proposals/:id/dismiss')
  @LeastRole('operator')
  @HttpCode(200)
  @Returns(proposalSchema)
  dismiss(@Param('id') id: string): Promise<ProposalView> {
    return this.proposals.dismiss(id);
  }
}
