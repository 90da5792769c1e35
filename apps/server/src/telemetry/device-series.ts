import type { SeriesView } from '@espalier/protocol';
import { Injectable } from '@nestjs/common';
import { ServerError } from '../errors.js';
import { Database } from '../persistence/database.js';
import { References } from './references.js';
import { startOf } from './resolutions.js';
import { freshRestarts } from './restart-counts.js';
import { RollUp } from './roll-up.js';
import type { DeviceSeriesQuery } from './schemas.js';
import { Point, resolutionsOf, spanOf, viewOf, type Sums } from './series.js';
import { readWindowsOf } from './windows.js';

const MOST_WINDOWS = 12_000;

/** One device's telemetry over time, a series for each variant, summed from its windows. */
@Injectable()
export class DeviceSeries {
  constructor(
    private readonly database: Database,
    private readonly references: References,
  ) {}

  /**
   * At the finest resolution that keeps to the bound of points.
   * @throws ServerError REQUEST_INVALID when the time has too many windows or days
   */
  async of(deviceId: string, query: DeviceSeriesQuery, now: Date): Promise<SeriesView> {
    const { from, to } = spanOf(query, now);
    const [resolution] = resolutionsOf(query, from, to);
    if (!resolution) throw tooMuch();
    const most = MOST_WINDOWS + 1;
    const windows = await readWindowsOf(this.database, deviceId, { from, to, most });
    if (windows.length > MOST_WINDOWS) throw tooMuch();
    const variants = new Set(windows.map(({ body }) => body.running.variantId));
    const references = await this.references.ofAll([...variants]);
    const sums: Sums = new Map();
    const restarts = freshRestarts(windows);
    for (const [at, window] of windows.entries()) {
      const { releaseId, variantId } = window.body.running;
      const key = `${releaseId}/${variantId}`;
      const points = sums.get(key) ?? new Map<number, Point>();
      sums.set(key, points);
      const start = startOf(resolution, window.to).getTime();
      const point = points.get(start) ?? new Point();
      points.set(start, point);
      const own = new RollUp();
      own.add(window.body, window.seconds, window.sketch, restarts[at] ?? 0);
      point.add(own, references.get(variantId));
    }
    return viewOf(resolution, from, to, sums);
  }
}

const tooMuch = (): ServerError =>
  new ServerError(
    'REQUEST_INVALID',
    400,
    `from, to: this is more than ${MOST_WINDOWS} windows of the device; ask for less time.`,
  );
