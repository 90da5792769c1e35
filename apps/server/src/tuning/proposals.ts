import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { ServerError, notFound } from '../errors.js';
import type { Proposal } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';
import { Rollouts } from '../rollout/rollouts.js';
import { Policies } from './policies.js';
import { causeSchema, type ProposalView, proposalSchema } from './schemas.js';

const MOST_LISTED = 200;

/** Differences that policies found: for a person to push or dismiss, or pushed by themselves. */
@Injectable()
export class Proposals {
  constructor(
    private readonly database: Database,
    private readonly policies: Policies,
    private readonly rollouts: Rollouts,
    private readonly audit: AuditLog,
  ) {}

  async list(): Promise<{ proposals: ProposalView[] }> {
    const rows = await this.database.read.proposal.findMany({
      orderBy: [{ createdAt: 'desc' }, { id: 'asc' }],
      take: MOST_LISTED,
    });
    return { proposals: rows.map(proposalOf) };
  }

  /** @throws ServerError NOT_FOUND */
  async get(id: string): Promise<ProposalView> {
    const row = await this.database.read.proposal.findUnique({ where: { id } });
    if (!row) throw notFound(`proposal ${id}`);
    return proposalOf(row);
  }

  /**
   * Makes a proposal a rollout, and starts it.
   * @throws ServerError NOT_FOUND, PROPOSAL_CLOSED, ROLLOUT_DEVICE_BUSY and what creating one throws
   */
  async push(id: string, by: string): Promise<ProposalView> {
    const proposal = await this.open(id);
    const policy = (await this.policies.list()).find((one) => one.id === proposal.policyId);
    if (!policy) throw notFound(`policy ${proposal.policyId}`);
    const rolloutId = await this.rollouts.create({
      ...policy.rollout,
      releaseId: policy.releaseId,
      planId: proposal.planId,
    });
    await this.close(id, { state: 'pushed', rolloutId, note: null });
    await this.rollouts.order(rolloutId, {
      type: 'start',
      ...{ by, why: `proposal ${id} of policy ${policy.id}` },
    });
    return this.get(id);
  }

  /** @throws ServerError NOT_FOUND, PROPOSAL_CLOSED */
  async dismiss(id: string): Promise<ProposalView> {
    await this.open(id);
    await this.close(id, { state: 'dismissed' });
    return this.get(id);
  }

  /** Pushes what a policy left open; what cannot go yet keeps the reason and is tried again. */
  async pushOpen(policyId: string): Promise<void> {
    const rows = await this.database.read.proposal.findMany({
      where: { policyId, state: 'open' },
      orderBy: { createdAt: 'asc' },
    });
    for (const { id, note } of rows) {
      try {
        const { rolloutId } = await this.push(id, 'policy');
        await this.audit.append({
          ...{ actor: `policy ${policyId}`, action: 'rollout started', object: rolloutId ?? id },
          ...{ outcome: 'done', code: null, address: null },
        });
      } catch (cause) {
        if (!(cause instanceof ServerError)) throw cause;
        if (note === cause.message) continue;
        await this.database.write((transaction) =>
          transaction.proposal.updateMany({
            where: { id, state: 'open' },
            data: { note: cause.message },
          }),
        );
      }
    }
  }

  private async open(id: string): Promise<ProposalView> {
    const proposal = await this.get(id);
    if (proposal.state === 'open') return proposal;
    throw new ServerError('PROPOSAL_CLOSED', 409, `Proposal ${id} is ${proposal.state} already.`);
  }

  private async close(
    id: string,
    data: { state: 'pushed' | 'dismissed'; rolloutId?: string; note?: null },
  ): Promise<void> {
    await this.database.write((transaction) =>
      transaction.proposal.updateMany({
        where: { id, state: 'open' },
        data: { ...data, decidedAt: new Date() },
      }),
    );
  }
}

function proposalOf(row: Proposal): ProposalView {
  return proposalSchema.parse({
    ...row,
    causes: fromJson(causeSchema.array(), row.causes),
    createdAt: row.createdAt.toISOString(),
    decidedAt: row.decidedAt?.toISOString() ?? null,
  });
}
