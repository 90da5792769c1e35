import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import {
  count,
  gateStandings,
  replay,
  rewindRollout,
  ROLLOUT_STATUSES,
  type RolloutEvent,
  type RolloutStatus,
} from '@espalier/rollout';
import { notFound } from '../errors.js';
import type { Rollout } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromExactJson } from '../persistence/json.js';
import { DeliveryService } from './delivery.js';
import { RolloutEvidence } from './rollout-evidence.js';
import { RolloutStore } from './rollout-store.js';
import { stageNames } from './stage-names.js';
import type { RolloutSummary, RolloutView } from './schemas.js';

const LISTED = 200;
const DECISIONS = 10_000;

/** What can be seen of rollouts. */
@Injectable()
export class RolloutViews {
  constructor(
    private readonly database: Database,
    private readonly store: RolloutStore,
    private readonly delivery: DeliveryService,
    private readonly evidence: RolloutEvidence,
  ) {}

  async list(): Promise<{ rollouts: RolloutSummary[] }> {
    const rows = await this.database.read.rollout.findMany({
      orderBy: [{ createdAt: 'desc' }, { id: 'asc' }],
      take: LISTED,
    });
    const ids = [...new Set(rows.map(({ releaseId }) => releaseId))];
    const releases = new Map(
      (
        await this.database.read.release.findMany({
          where: { id: { in: ids } },
          select: { id: true, modelName: true, version: true },
        })
      ).map((release) => [release.id, release]),
    );
    return { rollouts: rows.map((row) => summaryOf(row, releases.get(row.releaseId))) };
  }

  /** @throws ServerError NOT_FOUND */
  async get(id: string): Promise<RolloutView> {
    const row = await this.row(id);
    const release = await this.database.read.release.findUnique({
      where: { id: row.releaseId },
      select: { modelName: true, version: true },
    });
    const state = await this.store.load(this.database.read, id);
    const targets = await this.database.read.target.findMany({
      where: { rolloutId: id },
      select: { deviceId: true, generation: true, sentBytes: true },
    });
    const sent = new Map<string, number>();
    for (const { deviceId, generation, sentBytes } of targets) {
      const bytes = Number(sentBytes) + this.delivery.unsavedBytes(deviceId, generation);
      sent.set(deviceId, (sent.get(deviceId) ?? 0) + bytes);
    }
    const now = Date.now();
    const evidence = await this.evidence.of(state, row.releaseId, now);
    return {
      ...summaryOf(row, release),
      spec: state.spec,
      stage: state.stage,
      stages: stageNames(state.spec).map((name, stage) => {
        const counts = count(state, stage, null);
        const devices = Object.values(counts).reduce((a, b) => a + b, 0);
        return { name, percent: state.spec.stages[stage]?.percent ?? null, devices, counts };
      }),
      haltedVariants: [...state.haltedVariants],
      evidence,
      gates: gateStandings(state, evidence, now).map((gate) => ({
        ...gate,
        numbers: gate.numbers && { ...gate.numbers },
      })),
      devices: [...state.devices.values()].map((record) => ({
        deviceId: record.deviceId,
        variantId: record.variantId,
        stage: record.stage,
        status: record.status,
        attempt: record.attempt,
        failure: record.failure,
        since: new Date(record.since).toISOString(),
        sentBytes: sent.get(record.deviceId) ?? 0,
      })),
      bytesSent: [...sent.values()].reduce((a, b) => a + b, 0),
    };
  }

  /** Every decision so far, in order, with what it rests on. @throws ServerError NOT_FOUND */
  async decisions(id: string): Promise<{ decisions: Record<string, unknown>[] }> {
    await this.row(id);
    const rows = await this.database.read.rolloutDecision.findMany({
      where: { rolloutId: id },
      orderBy: { seq: 'asc' },
      take: DECISIONS,
    });
    return {
      decisions: rows.map((row) => ({
        ...fromExactJson<Record<string, unknown>>(row.decision),
        at: row.at.toISOString(),
      })),
    };
  }

  /**
   * Replays the recorded events on the pure machine and compares its decisions with the log.
   * @throws ServerError NOT_FOUND
   */
  async replay(id: string): Promise<{ events: number; decisions: number; identical: boolean }> {
    const state = await this.store.load(this.database.read, id);
    const events = await this.database.read.rolloutEvent.findMany({
      where: { rolloutId: id },
      orderBy: { seq: 'asc' },
    });
    const logged = await this.database.read.rolloutDecision.findMany({
      where: { rolloutId: id },
      orderBy: { seq: 'asc' },
    });
    const { decisions } = replay(
      rewindRollout(state),
      events.map(({ event, at }) => ({
        event: fromExactJson<RolloutEvent>(event),
        at: at.getTime(),
      })),
    );
    return {
      events: events.length,
      decisions: logged.length,
      identical: isDeepStrictEqual(
        decisions,
        logged.map(({ decision }) => fromExactJson(decision)),
      ),
    };
  }

  private async row(id: string): Promise<Rollout> {
    const row = await this.database.read.rollout.findUnique({ where: { id } });
    if (!row) throw notFound(`rollout ${id}`);
    return row;
  }
}

function summaryOf(
  row: Rollout,
  release: { modelName: string; version: number } | null | undefined,
): RolloutSummary {
  return {
    id: row.id,
    model: release?.modelName ?? row.releaseId,
    version: release?.version ?? 0,
    releaseId: row.releaseId,
    planId: row.planId,
    status: statusOf(row.status),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

function statusOf(text: string): RolloutStatus {
  const status = ROLLOUT_STATUSES.find((known) => known === text);
  if (!status) throw new Error(`A stored rollout has status ${text}.`);
  return status;
}
