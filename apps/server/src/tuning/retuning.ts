import { createHash, randomBytes } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { releaseSchema, telemetrySchema } from '@espalier/protocol';
import {
  type Candidate,
  deviceClassOf,
  judgeLatency,
  latencyFactor,
  type LatencyVerdict,
} from '@espalier/tuning';
import { z } from 'zod';
import type { TunedDevice } from '../generated/prisma/client.js';
import { Prisma } from '../generated/prisma/client.js';
import { Library } from '../models/library.js';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { planningCandidate } from './candidates.js';
import { planEach, type Planned } from './planning-thread.js';
import { Plans } from './plans.js';
import { Policies } from './policies.js';
import { Proposals } from './proposals.js';
import {
  assignmentSchema,
  causeSchema,
  type Assignment,
  type Cause,
  type PolicyView,
} from './schemas.js';
import { type Subject, Subjects } from './subjects.js';

const EVERY_MS = 2_000;
/** Newest windows that a verdict rests on. */
const WINDOWS_READ = 40;

const predictedSchema = z.object({
  ms: z.number(),
  low: z.number(),
  high: z.number(),
  /** What the prediction was multiplied by. */
  factor: z.number(),
});

/** A device that must be planned again, and why. */
interface Due {
  readonly subject: Subject;
  readonly row: TunedDevice | undefined;
  readonly cause: Cause['cause'];
  readonly why: string;
  /** Its own measured over predicted latency. */
  readonly ratio: number | null;
}

const hashOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex');

/**
 * The loop: devices of a policy that are new, or whose budget, profile or measured latency has left
 * what they were planned from, are planned again, they alone; what comes out differently is proposed.
 */
@Injectable()
export class Retuning {
  private readonly logger = new Logger('retuning');
  private working = false;

  constructor(
    private readonly database: Database,
    private readonly library: Library,
    private readonly plans: Plans,
    private readonly policies: Policies,
    private readonly proposals: Proposals,
    private readonly subjects: Subjects,
  ) {}

  @Interval(EVERY_MS)
  async tick(): Promise<void> {
    if (this.working) return;
    this.working = true;
    try {
      for (const policy of await this.policies.list()) {
        // One policy that cannot be planned for must not hold up the others.
        await this.attend(policy).catch((cause: unknown) =>
          this.logger.error({ msg: 'policy not planned for', policyId: policy.id, err: cause }),
        );
      }
    } catch (cause) {
      this.logger.error(cause);
    } finally {
      this.working = false;
    }
  }

  /**
   * Has the devices for which a release's policies chose a variant planned again at the next tick, among
   * the other variants; where none of them fits, the device keeps it.
   */
  async askAgain(releaseId: string, variantId: string, why: string): Promise<void> {
    const policies = (await this.policies.list()).filter((one) => one.releaseId === releaseId);
    await this.database.write((transaction) =>
      transaction.tunedDevice.updateMany({
        where: { policyId: { in: policies.map(({ id }) => id) }, candidateId: variantId },
        data: { askedBecause: why },
      }),
    );
  }

  private async attend(policy: PolicyView): Promise<void> {
    await this.retune(policy);
    if (policy.push) await this.proposals.pushOpen(policy.id);
  }

  private async retune(policy: PolicyView): Promise<void> {
    const { devices } = await this.subjects.selected(policy.selector);
    const rows = await this.database.read.tunedDevice.findMany({ where: { policyId: policy.id } });
    const known = new Map(rows.map((row) => [row.deviceId, row]));
    const due: Due[] = [];
    for (const subject of devices) {
      const found = await this.dueOf(subject, known.get(subject.id));
      if (found) due.push(found);
    }
    if (due.length === 0) return;
    const { modelId, candidates } = await this.offered(policy.releaseId);
    const factors = factorsFor(due, rows);
    const byId = await planEach(
      due.map(({ subject, row, cause }) => ({
        device: { ...subject, latencyFactor: factors.get(subject.id) ?? 1 },
        without: cause === 'alert' ? (row?.candidateId ?? null) : null,
      })),
      candidates,
    );
    await this.database.write(async (transaction) => {
      const causes: Cause[] = [];
      const changed: Assignment[] = [];
      for (const one of due) {
        const plan = byId.get(one.subject.id);
        if (one.cause === 'alert' && !plan?.assignment.candidateId) {
          await this.keepAsPlanned(transaction, policy.id, one.subject.id);
          continue;
        }
        if (!plan) continue;
        await this.keep(transaction, policy.id, one, plan, factors.get(one.subject.id) ?? 1);
        const from = one.row ? one.row.candidateId : runningOf(one.subject, policy.releaseId);
        const to = plan.assignment.candidateId;
        if (from === to || (to === null && one.row === undefined)) continue;
        causes.push({ deviceId: one.subject.id, cause: one.cause, from, to, why: one.why });
        changed.push(plan.assignment);
      }
      if (causes.length > 0) await this.propose(transaction, policy, modelId, causes, changed);
    });
  }

  /** Why a device must be planned again; null: nothing it was planned from has changed. */
  private async dueOf(subject: Subject, row: TunedDevice | undefined): Promise<Due | null> {
    const due = (cause: Cause['cause'], why: string, ratio = row?.ratio ?? null): Due => ({
      ...{ subject, row, cause, why, ratio },
    });
    if (!row) return due('new', 'it matches the policy and was not planned yet');
    if (row.askedBecause !== null) return due('alert', row.askedBecause);
    if (row.budgetSha256 !== hashOf(subject.budget)) return due('budget', 'its budget changed');
    if (row.profileSha256 !== subject.profileSha256) {
      return due('profile', 'it measured itself again', null);
    }
    const predicted = fromJson(predictedSchema.nullable(), row.predicted);
    if (!predicted || row.candidateId === null) return null;
    const { verdict, measuredMs } = await this.measured(row, predicted);
    if (verdict !== 'outside' || measuredMs === null) return null;
    const { ms, low, high, factor } = predicted;
    return due(
      'latency',
      `measured ${measuredMs.toFixed(2)} ms where ${ms.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)}) was predicted`,
      (measuredMs / ms) * factor,
    );
  }

  private async measured(
    row: TunedDevice,
    predicted: z.infer<typeof predictedSchema>,
  ): Promise<LatencyVerdict> {
    const windows = await this.database.read.telemetryWindow.findMany({
      where: {
        deviceId: row.deviceId,
        variantId: row.candidateId ?? '',
        receivedAt: { gt: row.plannedAt },
      },
      orderBy: { id: 'desc' },
      take: WINDOWS_READ,
      select: { body: true },
    });
    return judgeLatency(
      windows.flatMap(({ body }) => {
        const { inferences, latencyMs } = fromJson(telemetrySchema, body);
        return latencyMs ? [{ inferences, p50: latencyMs.p50 }] : [];
      }),
      predicted,
    );
  }

  /** The candidates that a release holds: nothing else may be chosen without another release. */
  private async offered(releaseId: string): Promise<{ modelId: string; candidates: Candidate[] }> {
    const release = await this.database.read.release.findUniqueOrThrow({
      where: { id: releaseId },
    });
    const held = new Set(fromJson(releaseSchema, release.document).variants.map(({ id }) => id));
    const all = await this.library.planned(release.modelId);
    return {
      modelId: release.modelId,
      candidates: all.filter(({ id }) => held.has(id)).map(planningCandidate),
    };
  }

  /** Remembers what a device was planned from. */
  private async keep(
    transaction: Transaction,
    policyId: string,
    { subject, ratio }: Due,
    { assignment, predicted }: Planned,
    factor: number,
  ): Promise<void> {
    const data = {
      candidateId: assignment.candidateId,
      budgetSha256: hashOf(subject.budget),
      profileSha256: subject.profileSha256,
      predicted: predicted
        ? toJson({ ms: predicted.ms, low: predicted.low, high: predicted.high, factor })
        : Prisma.DbNull,
      deviceClass: deviceClassOf(subject.profile),
      ratio,
      askedBecause: null,
      plannedAt: new Date(),
    };
    const id = { policyId, deviceId: subject.id };
    await transaction.tunedDevice.upsert({
      where: { policyId_deviceId: id },
      create: { ...id, ...data },
      update: data,
    });
  }

  /** Nothing else fits: a variant that an alert is about is better than none. */
  private async keepAsPlanned(
    transaction: Transaction,
    policyId: string,
    deviceId: string,
  ): Promise<void> {
    await transaction.tunedDevice.update({
      where: { policyId_deviceId: { policyId, deviceId } },
      data: { askedBecause: null },
    });
  }

  /** Writes a proposal down; it takes over what older open ones say of other devices. */
  private async propose(
    transaction: Transaction,
    policy: PolicyView,
    modelId: string,
    causes: Cause[],
    changed: Assignment[],
  ): Promise<void> {
    const fresh = new Set(causes.map(({ deviceId }) => deviceId));
    const older = await transaction.proposal.findMany({
      where: { policyId: policy.id, state: 'open' },
    });
    for (const { planId, causes: before } of older) {
      const plan = await transaction.plan.findUniqueOrThrow({ where: { id: planId } });
      const left = fromJson(assignmentSchema.array(), plan.document).filter(
        ({ deviceId }) => !fresh.has(deviceId),
      );
      changed.push(...left);
      causes.push(
        ...fromJson(causeSchema.array(), before).filter(({ deviceId }) => !fresh.has(deviceId)),
      );
      for (const { deviceId } of left) fresh.add(deviceId);
    }
    await transaction.proposal.updateMany({
      where: { policyId: policy.id, state: 'open' },
      data: { state: 'superseded', decidedAt: new Date() },
    });
    const { id: planId } = await this.plans.store(transaction, {
      ...{ modelId, selector: policy.selector, assignments: changed },
    });
    const id = `x-${randomBytes(6).toString('hex')}`;
    await transaction.proposal.create({
      data: {
        ...{ id, policyId: policy.id, planId, state: 'open' },
        causes: toJson(causes),
        createdAt: new Date(),
      },
    });
    this.logger.log({ msg: 'proposed', policyId: policy.id, proposalId: id, causes });
  }
}

/** The variant of a release that a device runs. */
function runningOf({ running }: Subject, releaseId: string): string | null {
  return running?.releaseId === releaseId ? running.variantId : null;
}

/** By what each device's prediction is corrected: its own measurements, or those of its class. */
function factorsFor(due: readonly Due[], rows: readonly TunedDevice[]): Map<string, number> {
  const byClass = new Map<string, number[]>();
  for (const { deviceClass, ratio } of rows) {
    if (ratio !== null) byClass.set(deviceClass, [...(byClass.get(deviceClass) ?? []), ratio]);
  }
  return new Map(
    due.map(({ subject, ratio }) => [
      subject.id,
      latencyFactor(ratio, byClass.get(deviceClassOf(subject.profile)) ?? []),
    ]),
  );
}
