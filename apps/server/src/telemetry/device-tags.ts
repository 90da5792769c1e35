import { Injectable } from '@nestjs/common';
import { labelsSchema, profileSchema } from '@espalier/protocol';
import { deviceClassOf } from '@espalier/tuning';
import { z } from 'zod';
import { Database } from '../persistence/database.js';
import { jsonColumn } from '../persistence/sql.js';

const KEPT_MS = 60_000;
const MOST_KEPT = 100_000;
const AT_ONCE = 500;
/** Label sets told apart; those that come later are counted without labels. */
const MOST_LABEL_SETS = 500;

/** By what the windows of a device can be asked for. */
export interface Tags {
  readonly deviceClass: string;
  /** `key=value,key2=value2` in the order of the keys; `*`: too many different ones. */
  readonly labels: string;
}

interface Kept extends Tags {
  readonly profileSha256: string | null;
  readonly readAt: number;
}

const UNKNOWN_CLASS = 'unknown';
const deviceRowSchema = z.object({
  id: z.string(),
  labels: jsonColumn(labelsSchema),
  profileSha256: z.string().nullable(),
});
const classRowSchema = z.object({
  deviceId: z.string(),
  document: jsonColumn(profileSchema.pick({ cpu: true, runtime: true, emulatedSlowdown: true })),
});

/** Labels and class of devices, read again after a minute. */
@Injectable()
export class DeviceTags {
  private readonly kept = new Map<string, Kept>();
  private readonly labelSets = new Set<string>();

  constructor(private readonly database: Database) {}

  /** Tags of devices; one that is not known has none. */
  async of(deviceIds: readonly string[]): Promise<ReadonlyMap<string, Tags>> {
    const now = performance.now();
    const due = [...new Set(deviceIds)].filter(
      (id) => now - (this.kept.get(id)?.readAt ?? -Infinity) > KEPT_MS,
    );
    for (let at = 0; at < due.length; at += AT_ONCE) {
      await this.read(due.slice(at, at + AT_ONCE), now);
    }
    const tags = new Map<string, Tags>();
    for (const id of deviceIds) {
      const known = this.kept.get(id);
      if (known) tags.set(id, known);
    }
    this.bound();
    return tags;
  }

  private async read(ids: readonly string[], now: number): Promise<void> {
    const { sql } = this.database.read;
    const rows = await sql.all(
      deviceRowSchema,
      `SELECT "id", "labels", "profileSha256" FROM "Device" WHERE "id" IN (${listOf(ids)})`,
      ids,
    );
    const changed = rows.filter(
      ({ id, profileSha256 }) =>
        profileSha256 !== null && this.kept.get(id)?.profileSha256 !== profileSha256,
    );
    const classes = new Map<string, string>();
    if (changed.length > 0) {
      const profiles = await sql.all(
        classRowSchema,
        `SELECT "deviceId", "document" FROM "Profile" WHERE "id" IN (SELECT MAX("id") FROM "Profile"
         WHERE "deviceId" IN (${listOf(changed)}) GROUP BY "deviceId")`,
        changed.map(({ id }) => id),
      );
      for (const { deviceId, document } of profiles) {
        classes.set(deviceId, deviceClassOf(document));
      }
    }
    for (const { id, labels, profileSha256 } of rows) {
      const deviceClass = classes.get(id) ?? this.kept.get(id)?.deviceClass ?? UNKNOWN_CLASS;
      this.kept.delete(id);
      this.kept.set(id, {
        ...{ deviceClass, profileSha256, readAt: now },
        labels: this.bounded(labelsText(labels)),
      });
    }
  }

  private bounded(labels: string): string {
    if (this.labelSets.has(labels)) return labels;
    if (this.labelSets.size >= MOST_LABEL_SETS) return '*';
    this.labelSets.add(labels);
    return labels;
  }

  private bound(): void {
    for (const id of this.kept.keys()) {
      if (this.kept.size <= MOST_KEPT) return;
      this.kept.delete(id);
    }
  }
}

/** Labels as a text that is the same for the same labels. */
export const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.keys(labels)
    .sort()
    .map((key) => `${key}=${(labels[key] ?? '').replaceAll(',', ' ')}`)
    .join(',');

/** Whether a text of labels has all that a selector asks for. */
export function labelsMatch(labels: string, selector: Readonly<Record<string, string>>): boolean {
  const has = new Set(labels.split(','));
  return Object.entries(selector).every(([key, value]) => has.has(`${key}=${value}`));
}

const listOf = (values: readonly unknown[]): string => values.map(() => '?').join(', ');
