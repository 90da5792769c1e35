import { FAMILIES, stabilityIndex, type FleetVerdict } from '@espalier/evidence';
import type { DriftView } from '@espalier/protocol';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { parseSelector } from '../fleet/selector.js';
import { Database } from '../persistence/database.js';
import { DeviceTags, labelsMatch } from './device-tags.js';
import { DriftStreams, type DriftSummary } from './drift-streams.js';
import { References, type Reference } from './references.js';
import { RollUp } from './roll-up.js';
import { Series, type RollUpFilter } from './series.js';

/** A device that was heard within this counts; its evidence does not fade meanwhile. */
const HEARD_MS = 3_600_000;
const MOST_NAMED = 10;
/** Fewer are no fleet. */
const FLEET_DEVICES = 2;
const idSchema = z.object({ id: z.string() });

/** Which devices make the family. */
type FamilyFilter = RollUpFilter & { readonly deviceId?: string | undefined };

/** What is found of drift in one variant. */
export interface DriftReading {
  readonly releaseId: string;
  readonly variantId: string;
  readonly devices: number;
  /**
   * Days in which the family, that is all devices and variants that were asked for, would show so much
   * evidence once by chance: half of its errors are for the devices, evenly, half for the variants'
   * fleets. By the union bound an alarm at F days is false at most once in F days on average.
   */
  readonly days: number;
  readonly restsOn: string;
  /** Null where devices are chosen: a fleet is all of them. */
  readonly fleet: FleetVerdict | null;
  readonly mostDrifted: readonly DriftSummary[];
}

/** What the watches for drift say of a family of devices. */
@Injectable()
export class DriftReadings {
  constructor(
    private readonly database: Database,
    private readonly streams: DriftStreams,
    private readonly tags: DeviceTags,
    private readonly references: References,
    private readonly series: Series,
  ) {}

  async of(filter: FamilyFilter, now: Date, heardMs = HEARD_MS): Promise<DriftReading[]> {
    const since = new Date(now.getTime() - Math.max(HEARD_MS, heardMs));
    const family = await this.chosen(await this.streams.since(since), filter);
    const variants = new Map<string, DriftSummary[]>();
    for (const one of family) {
      const key = `${one.releaseId}/${one.variantId}`;
      variants.set(key, [...(variants.get(key) ?? []), one]);
    }
    const { selector = '', deviceClass, deviceId } = filter;
    const isWhole = selector === '' && deviceClass === undefined && deviceId === undefined;
    return [...variants.values()].flatMap((devices) => {
      const [first] = devices;
      if (!first) return [];
      const { releaseId, variantId } = first;
      const verdict = isWhole ? this.streams.fleet(releaseId, variantId, now) : null;
      const fleet = verdict && verdict.devices >= FLEET_DEVICES ? verdict : null;
      const mostDrifted = devices
        .sort((a, b) => b.evidenceDays - a.evidenceDays)
        .slice(0, MOST_NAMED);
      const byDevice = (mostDrifted[0]?.evidenceDays ?? 0) / (2 * family.length);
      const byFleet = (fleet?.evidenceDays ?? 0) / (2 * variants.size);
      const device = `device ${mostDrifted[0]?.deviceId ?? ''}`;
      const restsOn =
        fleet && byFleet > byDevice
          ? `${fleet.family ?? 'nothing'} of ${fleet.devices} devices together, ${device} the most`
          : `${mostDrifted[0]?.family ?? 'nothing'} of ${device}`;
      const days = Math.max(byDevice, byFleet);
      return [{ releaseId, variantId, devices: devices.length, days, restsOn, fleet, mostDrifted }];
    });
  }

  /** The same as it is shown, with the stability index of the last hour beside it. */
  async shown(filter: FamilyFilter, now: Date): Promise<DriftView> {
    const readings = await this.of(filter, now);
    const references = await this.references.ofAll(readings.map(({ variantId }) => variantId));
    const lately = filter.deviceId === undefined ? await this.lately(filter, now) : null;
    return {
      devices: readings.reduce((sum, { devices }) => sum + devices, 0),
      variants: readings.map(({ mostDrifted, ...reading }) => {
        const { releaseId, variantId } = reading;
        const reference = references.get(variantId) ?? null;
        const rollUp = lately?.get(`${releaseId}/${variantId}`) ?? null;
        return {
          ...reading,
          reference: reference && { source: reference.source, samples: reference.samples },
          stabilityIndex: indexOf(reference, rollUp),
          mostDrifted: mostDrifted.map(({ deviceId, evidenceDays, family, at }) => ({
            ...{ deviceId, evidenceDays, family, at: at.toISOString() },
          })),
        };
      }),
    };
  }

  /** What each variant's devices measured in the last hour. */
  private async lately(filter: RollUpFilter, now: Date): Promise<Map<string, RollUp>> {
    const rows = await this.series.rows('minute', new Date(now.getTime() - HEARD_MS), now, filter);
    const sums = new Map<string, RollUp>();
    for (const { releaseId, variantId, body } of rows) {
      const key = `${releaseId}/${variantId}`;
      const sum = sums.get(key) ?? new RollUp();
      sum.mergeStored(body);
      sums.set(key, sum);
    }
    return sums;
  }

  private async chosen(all: DriftSummary[], filter: FamilyFilter): Promise<DriftSummary[]> {
    const { releaseId, variantId, deviceClass, deviceId, model } = filter;
    const selector = parseSelector(filter.selector ?? '');
    const releases = model === undefined ? null : await this.releasesOf(model);
    const some = all.filter(
      (one) =>
        (releaseId === undefined || one.releaseId === releaseId) &&
        (variantId === undefined || one.variantId === variantId) &&
        (deviceId === undefined || one.deviceId === deviceId) &&
        (releases === null || releases.has(one.releaseId)),
    );
    if (Object.keys(selector).length === 0 && deviceClass === undefined) return some;
    const tags = await this.tags.of(some.map(({ deviceId }) => deviceId));
    return some.filter(({ deviceId }) => {
      const own = tags.get(deviceId);
      const isOfClass = deviceClass === undefined || own?.deviceClass === deviceClass;
      return own !== undefined && isOfClass && labelsMatch(own.labels, selector);
    });
  }

  private async releasesOf(model: string): Promise<Set<string>> {
    const rows = await this.database.read.sql.all(
      idSchema,
      'SELECT "id" FROM "Release" WHERE "modelName" = ?',
      [model],
    );
    return new Set(rows.map(({ id }) => id));
  }
}

/** The largest index of any family; null: there is too little to compare. */
function indexOf(reference: Reference | null, rollUp: RollUp | null): number | null {
  if (!reference || !rollUp?.sketch) return null;
  const { sketch } = rollUp;
  const found = FAMILIES.flatMap(
    (family) => stabilityIndex(family, reference.sketch, sketch) ?? [],
  );
  return found.length === 0 ? null : Math.max(...found);
}
