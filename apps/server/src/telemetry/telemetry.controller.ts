import { driftSchema, seriesSchema, type DriftView, type SeriesView } from '@espalier/protocol';
import { Controller, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { LeastRole } from '../access/least-role.js';
import { Devices } from '../fleet/devices.js';
import { AcceptsQuery, Returns, ZodQuery } from '../http/zod.js';
import { DeviceSeries } from './device-series.js';
import { DriftReadings } from './drift-readings.js';
import {
  deviceSeriesQuerySchema,
  driftQuerySchema,
  seriesQuerySchema,
  telemetryPageSchema,
  telemetryQuerySchema,
  type DeviceSeriesQuery,
  type DriftQuery,
  type SeriesQuery,
  type TelemetryQuery,
} from './schemas.js';
import { Series } from './series.js';
import { Telemetry } from './telemetry.js';

/** What devices measured, over HTTP. */
@ApiTags('telemetry')
@Controller('api/v1')
export class TelemetryController {
  constructor(
    private readonly devices: Devices,
    private readonly telemetry: Telemetry,
    private readonly series: Series,
    private readonly drift: DriftReadings,
    private readonly deviceSeries: DeviceSeries,
  ) {}

  /** Accuracy with its counts, latency and memory over time, by model, release, variant, class or label. */
  @Get('telemetry/series')
  @LeastRole('viewer')
  @AcceptsQuery(seriesQuerySchema)
  @Returns(seriesSchema)
  overTime(@ZodQuery(seriesQuerySchema) query: SeriesQuery): Promise<SeriesView> {
    return this.series.of(query, new Date());
  }

  /** What the watches for drift show, by variant, with the errors of the family that was asked for. */
  @Get('telemetry/drift')
  @LeastRole('viewer')
  @AcceptsQuery(driftQuerySchema)
  @Returns(driftSchema)
  ofDrift(@ZodQuery(driftQuerySchema) query: DriftQuery): Promise<DriftView> {
    return this.drift.shown(query, new Date());
  }

  @Get('devices/:id/telemetry')
  @LeastRole('viewer')
  @AcceptsQuery(telemetryQuerySchema)
  @Returns(telemetryPageSchema)
  async ofDevice(
    @Param('id') id: string,
    @ZodQuery(telemetryQuerySchema) query: TelemetryQuery,
  ): Promise<z.infer<typeof telemetryPageSchema>> {
    await this.devices.get(id);
    return this.telemetry.ofDevice(id, query);
  }

  /** One device's figures over time, a series for each variant; summed from its windows. */
  @Get('devices/:id/telemetry/series')
  @LeastRole('viewer')
  @AcceptsQuery(deviceSeriesQuerySchema)
  @Returns(seriesSchema)
  async ofDeviceOverTime(
    @Param('id') id: string,
    @ZodQuery(deviceSeriesQuerySchema) query: DeviceSeriesQuery,
  ): Promise<SeriesView> {
    await this.devices.get(id);
    return this.deviceSeries.of(id, query, new Date());
  }
}
