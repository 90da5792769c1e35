import { Controller, Delete, Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { LeastRole } from '../access/least-role.js';
import { Accepts, Returns, ZodBody } from '../http/zod.js';
import { candidatesRequestSchema, type CandidatesRequest } from './compression-messages.js';
import { Jobs } from './jobs.js';
import { Intake } from './intake.js';
import { Library } from './library.js';
import {
  candidateListSchema,
  jobListSchema,
  jobSchema,
  modelListSchema,
  modelSchema,
  type CandidateView,
  type JobView,
  type ModelView,
} from './schemas.js';

const file = { type: 'string', format: 'binary' };

/** Models, their candidates and the jobs that make these, over HTTP. */
@ApiTags('models')
@Controller('api/v1')
export class ModelsController {
  constructor(
    private readonly library: Library,
    private readonly jobs: Jobs,
    private readonly intake: Intake,
  ) {}

  @Post('models')
  @LeastRole('operator')
  @ApiConsumes('multipart/form-data')
  @ApiBody({
    schema: {
      type: 'object',
      required: ['model', 'calibration', 'name'],
      properties: {
        model: file,
        calibration: file,
        evaluation: file,
        card: file,
        name: { type: 'string' },
      },
    },
  })
  @Returns(modelSchema, 201)
  upload(@Req() request: FastifyRequest): Promise<ModelView> {
    return this.intake.take(request);
  }

  @Get('models')
  @LeastRole('viewer')
  @Returns(modelListSchema)
  list(): Promise<{ models: ModelView[] }> {
    return this.library.list();
  }

  @Get('models/:id')
  @LeastRole('viewer')
  @Returns(modelSchema)
  get(@Param('id') id: string): Promise<ModelView> {
    return this.library.get(id);
  }

  @Delete('models/:id')
  @LeastRole('operator')
  @HttpCode(204)
  remove(@Param('id') id: string): Promise<void> {
    return this.intake.remove(id);
  }

  @Post('models/:id/candidates')
  @LeastRole('operator')
  @HttpCode(202)
  @Accepts(candidatesRequestSchema)
  @Returns(jobSchema, 202)
  async makeCandidates(
    @Param('id') id: string,
    @ZodBody(candidatesRequestSchema) request: CandidatesRequest,
  ): Promise<JobView> {
    await this.library.get(id);
    return this.jobs.queue(id, request);
  }

  @Get('models/:id/candidates')
  @LeastRole('viewer')
  @Returns(candidateListSchema)
  async candidates(@Param('id') id: string): Promise<{ candidates: CandidateView[] }> {
    return { candidates: await this.library.candidates(id) };
  }

  @Get('models/:id/jobs')
  @LeastRole('viewer')
  @Returns(jobListSchema)
  async jobsOf(@Param('id') id: string): Promise<{ jobs: JobView[] }> {
    await this.library.get(id);
    return this.jobs.of(id);
  }

  @Get('jobs/:id')
  @LeastRole('viewer')
  @Returns(jobSchema)
  job(@Param('id') id: string): Promise<JobView> {
    return this.jobs.get(id);
  }

  @Delete('jobs/:id')
  @LeastRole('operator')
  @Returns(jobSchema)
  cancel(@Param('id') id: string): Promise<JobView> {
    return this.jobs.cancel(id);
  }
}
