import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  budgetSchema,
  failureSchema,
  labelsSchema,
  profileSchema,
  runningSchema,
  type Hello,
  type Profile,
} from '@espalier/protocol';
import { SETTLING_PROFILES, settleProfiles } from '@espalier/tuning';
import { z } from 'zod';
import { notFound } from '../errors.js';
import type { Device } from '../generated/prisma/client.js';
import { Prisma } from '../generated/prisma/client.js';
import { EventStream } from '../http/event-stream.js';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, jsonText, toJson } from '../persistence/json.js';
import {
  deviceStateSchema,
  type devicePageSchema,
  type DevicePatch,
  type DeviceQuery,
  type DeviceView,
  type fleetSummarySchema,
  type profilesSchema,
} from './schemas.js';
import { parseSelector, whereSelected } from './selector.js';

const PROFILES_KEPT = 20;
const KEYS_KEPT = 100_000;
const keyRowSchema = z.object({ publicKey: z.string() });
const LABELS_SHOWN = 200;

/** The fleet: who the devices are, what they measured of themselves, what they may spend. */
@Injectable()
export class Devices {
  private readonly keys = new Map<string, Uint8Array>();

  constructor(
    private readonly database: Database,
    private readonly events: EventStream,
  ) {}

  async list(query: DeviceQuery): Promise<z.infer<typeof devicePageSchema>> {
    const { search, state, quarantined, cursor } = query;
    const { AND } = whereSelected(parseSelector(query.selector), this.database);
    const where: Prisma.DeviceWhereInput = {
      AND: [
        ...AND,
        ...(search ? [{ OR: [{ id: { contains: search } }, { name: { contains: search } }] }] : []),
      ],
      ...(state ? { state } : {}),
      ...(quarantined === undefined ? {} : { quarantinedAt: quarantined ? { not: null } : null }),
    };
    const total = await this.database.read.device.count({ where });
    const rows = await this.database.read.device.findMany({
      where: { ...where, ...(cursor ? { id: { gt: cursor } } : {}) },
      orderBy: { id: 'asc' },
      skip: query.offset,
      take: query.limit + 1,
    });
    const devices = rows.slice(0, query.limit).map(viewOf);
    const next = rows.length > query.limit ? (devices.at(-1)?.id ?? null) : null;
    return { devices, total, next };
  }

  /** The fleet in numbers. */
  async summary(): Promise<z.infer<typeof fleetSummarySchema>> {
    const { read, kind } = this.database;
    const states = await read.device.groupBy({ by: ['state'], _count: true });
    const each = kind === 'sqlite' ? 'json_each(labels)' : 'jsonb_each_text(labels)';
    const labels = await read.$queryRawUnsafe<{ key: string; value: string; devices: bigint }[]>(
      `SELECT each.key, each.value, COUNT(*) AS devices FROM "Device", ${each} AS each
       GROUP BY each.key, each.value ORDER BY devices DESC, each.key, each.value LIMIT ${LABELS_SHOWN}`,
    );
    return {
      devices: states.reduce((sum, { _count }) => sum + _count, 0),
      quarantined: await read.device.count({ where: { quarantinedAt: { not: null } } }),
      states: states.map(({ state, _count }) => ({
        state: deviceStateSchema.parse(state),
        devices: _count,
      })),
      labels: labels.map((row) => ({ ...row, devices: Number(row.devices) })),
    };
  }

  /** @throws ServerError NOT_FOUND */
  async get(deviceId: string): Promise<DeviceView> {
    return viewOf(await this.row(deviceId));
  }

  /** @throws ServerError NOT_FOUND */
  async patch(deviceId: string, patch: DevicePatch): Promise<DeviceView> {
    await this.row(deviceId);
    const row = await this.database.write((transaction) =>
      transaction.device.update({
        where: { id: deviceId },
        data: {
          ...(patch.name === undefined ? {} : { name: patch.name }),
          ...(patch.labels === undefined ? {} : { labels: toJson(patch.labels) }),
          ...(patch.budget === undefined ? {} : { budget: toJson(patch.budget) }),
        },
      }),
    );
    return viewOf(row);
  }

  /** Lets rollouts take a device again. @throws ServerError NOT_FOUND */
  async endQuarantine(deviceId: string): Promise<DeviceView> {
    await this.row(deviceId);
    const row = await this.database.write((transaction) =>
      transaction.device.update({
        where: { id: deviceId },
        data: { quarantinedAt: null, faults: [] },
      }),
    );
    return viewOf(row);
  }

  /** The newest profiles first. @throws ServerError NOT_FOUND */
  async profiles(deviceId: string): Promise<z.infer<typeof profilesSchema>> {
    await this.row(deviceId);
    const rows = await this.database.read.profile.findMany({
      where: { deviceId },
      orderBy: { id: 'desc' },
      take: PROFILES_KEPT,
    });
    return {
      profiles: rows.map((row) => ({
        sha256: row.sha256,
        receivedAt: row.receivedAt.toISOString(),
        profile: fromJson(profileSchema, row.document),
      })),
    };
  }

  /** The key that a device was enrolled with, which never changes; null: no such device. */
  async publicKey(deviceId: string): Promise<Uint8Array | null> {
    const known = this.keys.get(deviceId);
    if (known) return known;
    const [row] = await this.database.read.sql.all(
      keyRowSchema,
      'SELECT "publicKey" FROM "Device" WHERE "id" = ?',
      [deviceId],
    );
    if (!row) return null;
    const key = Buffer.from(row.publicKey, 'base64');
    const [oldest] = this.keys.keys();
    if (this.keys.size >= KEYS_KEPT && oldest !== undefined) this.keys.delete(oldest);
    this.keys.set(deviceId, key);
    return key;
  }

  /** Records what a device says as it connects. */
  async takeHello(transaction: Transaction, deviceId: string, hello: Hello): Promise<void> {
    await transaction.sql.run(
      `UPDATE "Device" SET "agentVersion" = ?, "bootId" = ?, "seenAt" = ?, "running" = ?
       WHERE "id" = ?`,
      [
        hello.agentVersion,
        hello.bootId,
        new Date(),
        hello.running ? jsonText(hello.running) : null,
        deviceId,
      ],
    );
  }

  /** Adds a profile to the device's history, which keeps the newest, and settles what to plan from. */
  async takeProfile(transaction: Transaction, deviceId: string, profile: Profile): Promise<void> {
    const sha256 = createHash('sha256').update(JSON.stringify(profile)).digest('hex');
    const now = new Date();
    const older = await transaction.profile.findMany({
      where: { deviceId },
      orderBy: { id: 'desc' },
      take: SETTLING_PROFILES - 1,
    });
    const documents = older.flatMap(({ document }) => {
      const { success, data } = profileSchema.safeParse(document);
      return success ? [data] : [];
    });
    await transaction.profile.updateMany({ where: { deviceId }, data: { settled: Prisma.DbNull } });
    await transaction.profile.create({
      data: {
        ...{ deviceId, sha256, document: toJson(profile), receivedAt: now },
        settled: toJson(settleProfiles(profile, documents)),
      },
    });
    const [old] = await transaction.profile.findMany({
      where: { deviceId },
      orderBy: { id: 'desc' },
      select: { id: true },
      skip: PROFILES_KEPT,
      take: 1,
    });
    if (old) await transaction.profile.deleteMany({ where: { deviceId, id: { lte: old.id } } });
    const { state } = await transaction.device.update({
      where: { id: deviceId },
      data: { profileSha256: sha256, seenAt: now },
    });
    if (state === 'enrolled') await this.setState(transaction, deviceId, 'ready');
  }

  /** Records a device's state and tells those who watch. */
  async setState(
    transaction: Transaction,
    deviceId: string,
    state: DeviceView['state'],
  ): Promise<void> {
    await transaction.sql.run('UPDATE "Device" SET "state" = ? WHERE "id" = ?', [state, deviceId]);
    this.events.emit({ type: 'device', data: { id: deviceId, state } });
  }

  private async row(deviceId: string): Promise<Device> {
    const row = await this.database.read.device.findUnique({ where: { id: deviceId } });
    if (!row) throw notFound(`device ${deviceId}`);
    return row;
  }
}

function viewOf(row: Device): DeviceView {
  return {
    id: row.id,
    name: row.name,
    labels: fromJson(labelsSchema, row.labels),
    state: deviceStateSchema.parse(row.state),
    budget: fromJson(budgetSchema, row.budget),
    agentVersion: row.agentVersion,
    generation: row.generation,
    running: fromJson(runningSchema.nullable(), row.running),
    failure: fromJson(failureSchema.nullable(), row.failure),
    quarantinedAt: row.quarantinedAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
    profileSha256: row.profileSha256,
    createdAt: row.createdAt.toISOString(),
    seenAt: row.seenAt?.toISOString() ?? null,
  };
}
