import {
  agreementSchema,
  shadowPolicySchema,
  type AgreementView,
  type ShadowPolicyView,
} from '@espalier/protocol';
import { Controller, Delete, Get, HttpCode, Param, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { LeastRole } from '../access/least-role.js';
import { Accepts, AcceptsQuery, Returns, ZodBody, ZodQuery } from '../http/zod.js';
import { Agreement } from './agreement.js';
import {
  agreementQuerySchema,
  shadowRequestSchema,
  shadowSamplePageSchema,
  shadowSampleQuerySchema,
  type AgreementQuery,
  type ShadowRequest,
  type ShadowSamplePage,
  type ShadowSampleQuery,
} from './schemas.js';
import { ShadowOrders } from './shadow-orders.js';
import { ShadowPolicies } from './shadow-policies.js';

/** Shadow samples and what the dense models said of them, over HTTP. */
@ApiTags('telemetry')
@Controller('api/v1')
export class ShadowController {
  constructor(
    private readonly policies: ShadowPolicies,
    private readonly orders: ShadowOrders,
    private readonly agreement: Agreement,
  ) {}

  @Get('models/:id/shadow')
  @LeastRole('viewer')
  @Returns(shadowPolicySchema)
  policy(@Param('id') id: string): Promise<ShadowPolicyView> {
    return this.policies.view(id);
  }

  /** Has devices that allow it send a few of the inputs that they feed this model. */
  @Put('models/:id/shadow')
  @LeastRole('operator')
  @Accepts(shadowRequestSchema)
  @Returns(shadowPolicySchema)
  async set(
    @Param('id') id: string,
    @ZodBody(shadowRequestSchema) request: ShadowRequest,
  ): Promise<ShadowPolicyView> {
    const view = await this.policies.set(id, request);
    this.orders.changed(id);
    return view;
  }

  @Delete('models/:id/shadow')
  @LeastRole('operator')
  @HttpCode(204)
  async end(@Param('id') id: string): Promise<void> {
    await this.policies.end(id);
    this.orders.changed(id);
  }

  /** How often the models of devices and the dense ones agree, by hours, with intervals. */
  @Get('telemetry/agreement')
  @LeastRole('viewer')
  @AcceptsQuery(agreementQuerySchema)
  @Returns(agreementSchema)
  overTime(@ZodQuery(agreementQuerySchema) query: AgreementQuery): Promise<AgreementView> {
    return this.agreement.of(query, new Date());
  }

  /** Single shadow samples with both verdicts, never the inputs. */
  @Get('telemetry/shadow-samples')
  @LeastRole('viewer')
  @AcceptsQuery(shadowSampleQuerySchema)
  @Returns(shadowSamplePageSchema)
  samples(@ZodQuery(shadowSampleQuerySchema) query: ShadowSampleQuery): Promise<ShadowSamplePage> {
    return this.agreement.samples(query);
  }
}
