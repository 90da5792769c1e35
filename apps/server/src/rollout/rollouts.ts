import { randomBytes } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { type Hello, type ReportPayload, type Signed } from '@espalier/protocol';
import {
  createRollout,
  type Decision,
  type OrderEvent,
  type RolloutEvent,
} from '@espalier/rollout';
import { TrustError, verifyReport } from '@espalier/trust';
import { z } from 'zod';
import { notFound, ServerError } from '../errors.js';
import { Devices } from '../fleet/devices.js';
import { EventStream } from '../http/event-stream.js';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, jsonText, toJson } from '../persistence/json.js';
import { DeliveryService } from './delivery.js';
import { Drafts } from './drafts.js';
import { LateJoiners } from './late-joiners.js';
import { faultsSchema, Members } from './members.js';
import { Offers } from './offers.js';
import { RolloutEvidence } from './rollout-evidence.js';
import { RolloutStore, type StoredStep } from './rollout-store.js';
import type { RolloutRequest } from './schemas.js';
import { TargetSender } from './target-sender.js';

const FAULTS_KEPT = 10;
/** A device's generation, and the target that its report is of; nulls: it was never given one. */
const reportedSchema = z.object({
  generation: z.coerce.number(),
  rolloutId: z.string().nullable(),
  attempt: z.coerce.number().nullable(),
});
const rolloutIdSchema = z.object({ rolloutId: z.string() });
const releaseIdSchema = z.object({ releaseId: z.string() });

/** What is left to do once a step is committed. */
export type AfterCommit = () => Promise<void>;

/** The shell around the rollout machine: load, step, store in one transaction, and only then act. */
@Injectable()
export class Rollouts {
  private readonly logger = new Logger('rollouts');

  constructor(
    private readonly database: Database,
    private readonly store: RolloutStore,
    private readonly offers: Offers,
    private readonly drafts: Drafts,
    private readonly members: Members,
    private readonly evidence: RolloutEvidence,
    private readonly joiners: LateJoiners,
    private readonly devices: Devices,
    private readonly delivery: DeliveryService,
    private readonly targets: TargetSender,
    private readonly events: EventStream,
  ) {}

  /**
   * Writes a rollout down; nothing is sent before its start.
   * @throws ServerError NOT_FOUND, RELEASE_UNSIGNED, RELEASE_MISMATCH, ROLLOUT_DEVICE_BUSY; RolloutError
   */
  async create(request: RolloutRequest): Promise<string> {
    const draft = await this.drafts.of(request);
    const id = `r-${randomBytes(6).toString('hex')}`;
    const now = new Date();
    await this.database.write(async (transaction) => {
      const { members } = await this.members.of(transaction, draft.assignments, draft.variants);
      await this.members.refuseBusy(transaction, members);
      const state = createRollout(id, draft.spec, draft.variants, members, now.getTime());
      const { releaseId, planId } = request;
      await this.store.insert(transaction, state, { releaseId, planId }, now);
    });
    return id;
  }

  /**
   * Carries out a person's order.
   * @throws ServerError NOT_FOUND, ROLLOUT_NOT_ALLOWED when the rollout's status has no such move
   */
  async order(rolloutId: string, event: OrderEvent): Promise<void> {
    const decided = await this.stepNow(rolloutId, event);
    if (decided === 0) {
      const { status } = await this.store.load(this.database.read, rolloutId);
      throw new ServerError(
        'ROLLOUT_NOT_ALLOWED',
        409,
        `Rollout ${rolloutId} is ${status}; it cannot ${event.type} now.`,
      );
    }
  }

  /** Lets time pass for every live rollout, with what its devices measured; takes late ones in. */
  async tick(): Promise<void> {
    const live = await this.store.live();
    this.joiners.keepOnly(live.map(({ id }) => id));
    for (const { id, releaseId } of live) {
      // One rollout that cannot go on must not hold up the halts of the others.
      await this.tickOne(id, releaseId).catch((cause: unknown) =>
        this.logger.error({ msg: 'rollout not ticked', rolloutId: id, err: cause }),
      );
    }
  }

  private async tickOne(id: string, releaseId: string): Promise<void> {
    const now = Date.now();
    const state = await this.store.current(id);
    for (const member of await this.joiners.of(state, now)) {
      await this.stepNow(id, { type: 'join', member });
    }
    const evidence = await this.evidence.of(state, releaseId, now);
    await this.stepNow(id, { type: 'tick', ...(evidence ? { evidence } : {}) });
  }

  /**
   * Verifies a device's report by the device's own key.
   * @throws TrustError
   */
  verify(deviceId: string, signed: Signed, publicKey: Uint8Array): ReportPayload {
    const report = verifyReport(signed, publicKey);
    if (report.deviceId !== deviceId) {
      throw new TrustError('TRUST_PAYLOAD', `The report names ${report.deviceId}.`);
    }
    return report;
  }

  /** Takes a verified report within a write. @returns what to do once it is committed */
  async takeReport(
    transaction: Transaction,
    deviceId: string,
    report: ReportPayload,
  ): Promise<AfterCommit> {
    const { sql } = transaction;
    const [device] = await sql.all(
      reportedSchema,
      `SELECT d."generation", t."rolloutId", t."attempt" FROM "Device" d
       LEFT JOIN "Target" t ON t."deviceId" = d."id" AND t."generation" = ? WHERE d."id" = ?`,
      [report.generation, deviceId],
    );
    if (!device) throw notFound(`device ${deviceId}`);
    const { rolloutId, attempt } = device;
    const stale = report.generation < device.generation;
    const { state, loadedSha256, probe, failure } = report;
    let result: StoredStep | null = null;
    if (rolloutId !== null && attempt !== null) {
      result = await this.store.step(
        transaction,
        rolloutId,
        {
          type: 'report',
          deviceId,
          attempt,
          state,
          loadedSha256,
          probe: probe ? { finite: probe.finite } : null,
          failure,
        },
        new Date(),
      );
    }
    const record = result?.state.devices.get(deviceId);
    const judged =
      record?.attempt === attempt && record?.failure && state === 'active'
        ? { state: 'failed' as const, failure: record.failure }
        : { state, failure };
    await sql.run('UPDATE "Device" SET "seenAt" = ? WHERE "id" = ?', [new Date(), deviceId]);
    if (report.running) {
      const running = jsonText(report.running);
      await sql.run('UPDATE "Device" SET "running" = ? WHERE "id" = ?', [running, deviceId]);
    }
    if (!stale) {
      const told = judged.failure ? jsonText(judged.failure) : null;
      await sql.run('UPDATE "Device" SET "failure" = ? WHERE "id" = ?', [told, deviceId]);
      await this.devices.setState(transaction, deviceId, judged.state);
    }
    return result && rolloutId !== null
      ? this.storeEffects(transaction, rolloutId, result)
      : () => Promise.resolve();
  }

  /** Answers a device that connected: a missing one is tried again, and it gets what is on offer. */
  async deviceIsBack(deviceId: string, hello: Hello): Promise<void> {
    const missing = await this.database.read.sql.all(
      rolloutIdSchema,
      `SELECT "rolloutId" FROM "RolloutDevice" WHERE "deviceId" = ? AND "status" = 'missing'`,
      [deviceId],
    );
    const live = new Set(missing.length === 0 ? [] : (await this.store.live()).map(({ id }) => id));
    for (const { rolloutId } of missing) {
      if (live.has(rolloutId)) await this.stepNow(rolloutId, { type: 'hello', deviceId });
    }
    const offer = await this.delivery.offerTo(deviceId);
    if (!offer) return;
    const done =
      hello.generation >= offer.target.generation &&
      hello.running?.modelSha256 === offer.target.modelSha256;
    if (!done) await this.targets.send(deviceId);
  }

  /** Sends again what devices at work have on offer, as after a lost broker. */
  async offerAgain(): Promise<void> {
    const rows = await this.database.read.rolloutDevice.findMany({
      where: {
        rolloutId: { in: (await this.store.live()).map(({ id }) => id) },
        status: { in: ['sent', 'working', 'reverting'] },
      },
      select: { deviceId: true },
    });
    await this.targets.sendAll(rows.map(({ deviceId }) => deviceId));
  }

  /** One step in a transaction of its own, its effects after it. @returns decisions taken */
  private async stepNow(rolloutId: string, event: RolloutEvent): Promise<number> {
    const { after, decided } = await this.database.write(async (transaction) => {
      const result = await this.store.step(transaction, rolloutId, event, new Date());
      return {
        after: await this.storeEffects(transaction, rolloutId, result),
        decided: result.decisions.length,
      };
    });
    await after();
    return decided;
  }

  /** Stores what a step's effects change; sending comes after the commit. */
  private async storeEffects(
    transaction: Transaction,
    rolloutId: string,
    { state, effects, decisions }: StoredStep,
  ): Promise<AfterCommit> {
    const [rollout] = await transaction.sql.all(
      releaseIdSchema,
      'SELECT "releaseId" FROM "Rollout" WHERE "id" = ?',
      [rolloutId],
    );
    if (!rollout) throw notFound(`rollout ${rolloutId}`);
    for (const decision of decisions) await this.recordFault(transaction, decision);
    const toSend: string[] = [];
    for (const effect of effects) {
      const { deviceId } = effect;
      switch (effect.type) {
        case 'send':
          await this.offers.offer(transaction, {
            deviceId,
            rolloutId,
            attempt: effect.attempt,
            purpose: 'update',
            releaseId: rollout.releaseId,
            variantId: effect.variantId,
            modelSha256: state.variants[effect.variantId]?.modelSha256 ?? '',
          });
          toSend.push(deviceId);
          break;
        case 'revert':
          await this.offers.offer(transaction, {
            deviceId,
            rolloutId,
            attempt: effect.attempt,
            purpose: 'revert',
            ...effect.to,
          });
          toSend.push(deviceId);
          break;
        case 'withdraw':
          await this.offers.withdraw(transaction, deviceId);
          break;
      }
    }
    return async () => {
      for (const { deviceId } of effects) this.delivery.forget(deviceId);
      for (const decision of decisions) {
        this.logger.log({ msg: 'decision', rolloutId, decision });
        this.events.emit({ type: 'decision', data: { rolloutId, decision } });
      }
      if (decisions.length > 0) {
        const { status, stage } = state;
        this.events.emit({ type: 'rollout', data: { id: rolloutId, status, stage } });
      }
      await this.targets.sendAll(toSend);
    };
  }

  /** Keeps when a device failed, whatever the rollout, and puts it in quarantine. */
  private async recordFault(transaction: Transaction, decision: Decision): Promise<void> {
    if (decision.rule !== 'device') return;
    const { deviceId, outcome, at } = decision;
    if (!['retry', 'failed', 'quarantined'].includes(outcome)) return;
    const { faults } = await transaction.device.findUniqueOrThrow({
      where: { id: deviceId },
      select: { faults: true },
    });
    const kept = [...fromJson(faultsSchema, faults), at].slice(-FAULTS_KEPT);
    await transaction.device.update({
      where: { id: deviceId },
      data: {
        faults: toJson(kept),
        ...(outcome === 'quarantined' ? { quarantinedAt: new Date(at) } : {}),
      },
    });
  }
}
