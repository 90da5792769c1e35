import { Controller, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  enrolRequestSchema,
  enrolResponseSchema,
  renewalRequestSchema,
  type EnrolRequest,
  type EnrolResponse,
  type RenewalRequest,
} from '@espalier/protocol';
import type { z } from 'zod';
import { LeastRole } from '../access/least-role.js';
import { Accepts, AcceptsQuery, Returns, ZodBody, ZodQuery } from '../http/zod.js';
import { DeviceChannel } from '../mqtt/device-channel.js';
import { Certificates } from './certificates.js';
import { Devices } from './devices.js';
import { Enrolment } from './enrolment.js';
import { Revocations } from './revocations.js';
import {
  claimTokenAnswerSchema,
  claimTokenRequestSchema,
  devicePageSchema,
  devicePatchSchema,
  deviceQuerySchema,
  deviceViewSchema,
  fleetSummarySchema,
  profilesSchema,
  revokedSchema,
  type ClaimTokenRequest,
  type DevicePatch,
  type DeviceQuery,
  type DeviceView,
} from './schemas.js';

/** Devices, how they join and what they may spend, over HTTP. */
@ApiTags('fleet')
@Controller('api/v1')
export class FleetController {
  constructor(
    private readonly enrolment: Enrolment,
    private readonly certificates: Certificates,
    private readonly revocations: Revocations,
    private readonly devices: Devices,
    private readonly channel: DeviceChannel,
  ) {}

  @Post('claim-tokens')
  @LeastRole('operator')
  @Accepts(claimTokenRequestSchema)
  @Returns(claimTokenAnswerSchema, 201)
  createToken(
    @ZodBody(claimTokenRequestSchema) request: ClaimTokenRequest,
  ): Promise<z.infer<typeof claimTokenAnswerSchema>> {
    return this.enrolment.createToken(request);
  }

  @Post('enrolments')
  @LeastRole('public')
  @Accepts(enrolRequestSchema)
  @Returns(enrolResponseSchema, 201)
  enrol(@ZodBody(enrolRequestSchema) request: EnrolRequest): Promise<EnrolResponse> {
    return this.enrolment.enrol(request);
  }

  @Get('devices')
  @LeastRole('viewer')
  @AcceptsQuery(deviceQuerySchema)
  @Returns(devicePageSchema)
  list(@ZodQuery(deviceQuerySchema) query: DeviceQuery): Promise<z.infer<typeof devicePageSchema>> {
    return this.devices.list(query);
  }

  @Get('fleet/summary')
  @LeastRole('viewer')
  @Returns(fleetSummarySchema)
  summary(): Promise<z.infer<typeof fleetSummarySchema>> {
    return this.devices.summary();
  }

  @Get('devices/:id')
  @LeastRole('viewer')
  @Returns(deviceViewSchema)
  get(@Param('id') id: string): Promise<DeviceView> {
    return this.devices.get(id);
  }

  @Patch('devices/:id')
  @LeastRole('operator')
  @Accepts(devicePatchSchema)
  @Returns(deviceViewSchema)
  patch(
    @Param('id') id: string,
    @ZodBody(devicePatchSchema) patch: DevicePatch,
  ): Promise<DeviceView> {
    return this.devices.patch(id, patch);
  }

  @Get('devices/:id/profiles')
  @LeastRole('viewer')
  @Returns(profilesSchema)
  profiles(@Param('id') id: string): Promise<z.infer<typeof profilesSchema>> {
    return this.devices.profiles(id);
  }

  /** Lets rollouts take a device again that failed too often. */
  @Delete('devices/:id/quarantine')
  @LeastRole('operator')
  @Returns(deviceViewSchema)
  endQuarantine(@Param('id') id: string): Promise<DeviceView> {
    return this.devices.endQuarantine(id);
  }

  /** Gives a device another certificate, for a request that its key has signed. */
  @Post('devices/:id/certificates')
  @LeastRole('public')
  @Accepts(renewalRequestSchema)
  @Returns(enrolResponseSchema, 201)
  renew(
    @Param('id') id: string,
    @ZodBody(renewalRequestSchema) request: RenewalRequest,
  ): Promise<EnrolResponse> {
    return this.certificates.renew(id, request);
  }

  /** Puts a device out for good: its connection is cut and its certificates are void. */
  @Post('devices/:id/revoke')
  @LeastRole('admin')
  @HttpCode(200)
  @Returns(revokedSchema)
  revoke(@Param('id') id: string): Promise<z.infer<typeof revokedSchema>> {
    return this.revocations.revoke(id);
  }

  /** Asks the device to measure itself; its new profile arrives when it is done. */
  @Post('devices/:id/measure')
  @LeastRole('operator')
  @HttpCode(202)
  async measure(@Param('id') id: string): Promise<{ asked: true }> {
    await this.devices.get(id);
    await this.channel.publish(id, 'measure', { reason: 'asked by an operator' });
    return { asked: true };
  }
}
