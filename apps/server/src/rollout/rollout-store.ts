import { Injectable } from '@nestjs/common';
import {
  headOf,
  restoreRollout,
  ROLLOUT_STATUSES,
  step,
  TABLE,
  type Decision,
  type DeviceRecord,
  type Effect,
  type RolloutEvent,
  type RolloutHead,
  type RolloutState,
  type RolloutStatus,
} from '@espalier/rollout';
import type { Prisma } from '../generated/prisma/client.js';
import { notFound } from '../errors.js';
import { Database, type Transaction } from '../persistence/database.js';
import { fromExactJson, jsonText, toExactJson } from '../persistence/json.js';

/** Statuses in which time alone can change something. */
export const LIVE: readonly RolloutStatus[] = ROLLOUT_STATUSES.filter(
  (status) => !TABLE.rollout.terminal.includes(status),
);

const STATES_KEPT = 32;

/** The outcome of a stored step. */
export interface StoredStep {
  readonly state: RolloutState;
  readonly effects: readonly Effect[];
  readonly decisions: readonly Decision[];
}

/**
 * Rollouts in the database, and those used last in memory too. Every step runs within a write, so
 * steps of one rollout never overlap; a write that fails forgets what was in memory.
 */
@Injectable()
export class RolloutStore {
  private readonly states = new Map<string, RolloutState>();

  constructor(private readonly database: Database) {
    database.onRollback(() => this.states.clear());
  }

  async insert(
    transaction: Transaction,
    state: RolloutState,
    ids: { releaseId: string; planId: string },
    now: Date,
  ): Promise<void> {
    await transaction.rollout.create({
      data: {
        id: state.id,
        ...ids,
        status: state.status,
        head: toExactJson(headOf(state)),
        createdAt: now,
        updatedAt: now,
      },
    });
    await transaction.rolloutDevice.createMany({
      data: [...state.devices.values()].map((record, position) => ({
        rolloutId: state.id,
        position,
        ...columns(record),
      })),
    });
  }

  /** A rollout as it was left by the last step. @throws ServerError NOT_FOUND */
  async current(rolloutId: string): Promise<RolloutState> {
    return this.states.get(rolloutId) ?? (await this.load(this.database.read, rolloutId));
  }

  /** Reads a rollout. @throws ServerError NOT_FOUND */
  async load(client: Database['read'] | Transaction, rolloutId: string): Promise<RolloutState> {
    const row = await client.rollout.findUnique({ where: { id: rolloutId } });
    if (!row) throw notFound(`rollout ${rolloutId}`);
    const devices = await client.rolloutDevice.findMany({
      where: { rolloutId },
      orderBy: { position: 'asc' },
    });
    return restoreRollout(
      fromExactJson<RolloutHead>(row.head),
      devices.map(({ record }) => fromExactJson<DeviceRecord>(record)),
    );
  }

  /** Steps a rollout and stores state, event and decisions in the same transaction. */
  async step(
    transaction: Transaction,
    rolloutId: string,
    event: RolloutEvent,
    now: Date,
  ): Promise<StoredStep> {
    const before = this.states.get(rolloutId) ?? (await this.load(transaction, rolloutId));
    const result = step(before, event, now.getTime());
    const { state, effects, decisions, changed } = result;
    this.keep(state);
    if (result.quiet) return { state, effects, decisions };
    const { sql } = transaction;
    await sql.run('UPDATE "Rollout" SET "status" = ?, "head" = ?, "updatedAt" = ? WHERE "id" = ?', [
      state.status,
      jsonText(toExactJson(headOf(state))),
      now,
      rolloutId,
    ]);
    for (const deviceId of changed) {
      const record = state.devices.get(deviceId);
      if (!record) continue;
      if (!before.devices.has(deviceId)) {
        const position = [...state.devices.keys()].indexOf(deviceId);
        await transaction.rolloutDevice.create({
          data: { rolloutId, position, ...columns(record) },
        });
        continue;
      }
      const { status, variantId } = record;
      await sql.run(
        `UPDATE "RolloutDevice" SET "status" = ?, "variantId" = ?, "record" = ?
         WHERE "rolloutId" = ? AND "deviceId" = ?`,
        [status, variantId, jsonText(toExactJson(record)), rolloutId, deviceId],
      );
    }
    await sql.run(
      `INSERT INTO "RolloutEvent" ("rolloutId", "seq", "at", "event")
       VALUES (?, 1 + COALESCE((SELECT MAX("seq") FROM "RolloutEvent" WHERE "rolloutId" = ?), 0), ?, ?)`,
      [rolloutId, rolloutId, now, jsonText(toExactJson(event))],
    );
    for (const decision of decisions) {
      await sql.run(
        'INSERT INTO "RolloutDecision" ("rolloutId", "seq", "at", "decision") VALUES (?, ?, ?, ?)',
        [rolloutId, decision.seq, now, jsonText(toExactJson(decision))],
      );
    }
    return { state, effects, decisions };
  }

  /** Rollouts that a tick may change. */
  async live(): Promise<{ id: string; releaseId: string }[]> {
    return this.database.read.rollout.findMany({
      where: { status: { in: [...LIVE] } },
      select: { id: true, releaseId: true },
      orderBy: { createdAt: 'asc' },
    });
  }

  private keep(state: RolloutState): void {
    this.states.delete(state.id);
    this.states.set(state.id, state);
    const [oldest] = this.states.keys();
    if (this.states.size > STATES_KEPT && oldest !== undefined) this.states.delete(oldest);
  }
}

function columns(
  record: DeviceRecord,
): Omit<Prisma.RolloutDeviceCreateManyInput, 'rolloutId' | 'position'> {
  return {
    deviceId: record.deviceId,
    status: record.status,
    stage: record.stage,
    variantId: record.variantId,
    record: toExactJson(record),
  };
}
