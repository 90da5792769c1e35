import { Controller, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { LeastRole } from '../access/least-role.js';
import { Returns } from '../http/zod.js';
import { DeviceHistory } from './device-history.js';
import {
  deviceChoiceSchema,
  deviceTargetsSchema,
  type DeviceChoice,
  type DeviceTargets,
} from './schemas.js';

/** What a device was given, and why, over HTTP. */
@ApiTags('fleet')
@Controller('api/v1/devices/:id')
export class DeviceHistoryController {
  constructor(private readonly history: DeviceHistory) {}

  /** Everything that the device was told to run, the newest first. */
  @Get('targets')
  @LeastRole('viewer')
  @Returns(deviceTargetsSchema)
  targets(@Param('id') id: string): Promise<DeviceTargets> {
    return this.history.targets(id);
  }

  /** Why the device has the variant that its last rollout gave it. */
  @Get('choice')
  @LeastRole('viewer')
  @Returns(deviceChoiceSchema)
  choice(@Param('id') id: string): Promise<DeviceChoice> {
    return this.history.choice(id);
  }
}
