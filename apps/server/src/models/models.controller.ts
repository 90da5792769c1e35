import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { Accepts, Returns, ZodBody } from '../http/zod.js';
import { BlobStore } from './blob-store.js';
import { candidatesRequestSchema, type CandidatesRequest } from './compression-messages.js';
import { Jobs } from './jobs.js';
import { Library } from './library.js';
import {
  candidateListSchema,
  jobSchema,
  modelListSchema,
  modelSchema,
  type CandidateView,
  type JobView,
  type ModelView,
} from './schemas.js';
import { readModelUpload } from './upload.js';

const file = { type: 'string', format: 'binary' };

@ApiTags('models')
@Controller('api/v1')
export class ModelsController {
  constructor(
    private readonly library: Library,
    private readonly jobs: Jobs,
    private readonly blobs: BlobStore,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  @Post('models')
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
  async upload(@Req() request: FastifyRequest): Promise<ModelView> {
    const { name, files } = await readModelUpload(request, this.blobs, this.configuration);
    return this.library.add(name, files);
  }

  @Get('models')
  @Returns(modelListSchema)
  list(): Promise<{ models: ModelView[] }> {
    return this.library.list();
  }

  @Get('models/:id')
  @Returns(modelSchema)
  get(@Param('id') id: string): Promise<ModelView> {
    return this.library.get(id);
  }

  @Post('models/:id/candidates')
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
  @Returns(candidateListSchema)
  async candidates(@Param('id') id: string): Promise<{ candidates: CandidateView[] }> {
    return { candidates: await this.library.candidates(id) };
  }

  @Get('jobs/:id')
  @Returns(jobSchema)
  job(@Param('id') id: string): Promise<JobView> {
    return this.jobs.get(id);
  }

  @Delete('jobs/:id')
  @Returns(jobSchema)
  cancel(@Param('id') id: string): Promise<JobView> {
    return this.jobs.cancel(id);
  }
}
