import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { LeastRole } from '../access/least-role.js';
import { Accepts, Returns, ZodBody } from '../http/zod.js';
import { Releases } from './releases.js';
import {
  releaseListSchema,
  releaseRequestSchema,
  releaseViewSchema,
  signatureSchema,
  type ReleaseRequest,
  type ReleaseView,
  type SignatureRequest,
} from './schemas.js';

/** Releases over HTTP. */
@ApiTags('releases')
@Controller('api/v1/releases')
export class ReleasesController {
  constructor(private readonly releases: Releases) {}

  @Post()
  @LeastRole('operator')
  @Accepts(releaseRequestSchema)
  @Returns(releaseViewSchema, 201)
  create(@ZodBody(releaseRequestSchema) request: ReleaseRequest): Promise<ReleaseView> {
    return this.releases.create(request.modelId, request.planId);
  }

  @Post(':id/signatures')
  @LeastRole('operator')
  @HttpCode(200)
  @Accepts(signatureSchema)
  @Returns(releaseViewSchema)
  sign(
    @Param('id') id: string,
    @ZodBody(signatureSchema) request: SignatureRequest,
  ): Promise<ReleaseView> {
    return this.releases.sign(id, request.signed);
  }

  @Get()
  @LeastRole('viewer')
  @Returns(releaseListSchema)
  list(): Promise<{ releases: ReleaseView[] }> {
    return this.releases.list();
  }

  @Get(':id')
  @LeastRole('viewer')
  @Returns(releaseViewSchema)
  get(@Param('id') id: string): Promise<ReleaseView> {
    return this.releases.get(id);
  }
}
