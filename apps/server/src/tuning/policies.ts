import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { rolloutSpecSchema } from '@espalier/rollout';
import { signedSchema } from '@espalier/protocol';
import { notFound } from '../errors.js';
import { parseSelector } from '../fleet/selector.js';
import type { TuningPolicy } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { requireSigned } from '../rollout/offers.js';
import type { PolicyRequest, PolicyView } from './schemas.js';

const MOST_LISTED = 200;

/** Releases that are kept fitting to devices: those that match now, and those to come. */
@Injectable()
export class Policies {
  constructor(private readonly database: Database) {}

  /** @throws ServerError NOT_FOUND, RELEASE_UNSIGNED, REQUEST_INVALID */
  async create(request: PolicyRequest): Promise<PolicyView> {
    const { releaseId, selector, push, rollout } = request;
    parseSelector(selector);
    const release = await this.database.read.release.findUnique({ where: { id: releaseId } });
    if (!release) throw notFound(`release ${releaseId}`);
    requireSigned(releaseId, fromJson(signedSchema.nullable(), release.signed));
    const row = await this.database.write((transaction) =>
      transaction.tuningPolicy.create({
        data: {
          id: `t-${randomBytes(6).toString('hex')}`,
          ...{ releaseId, selector, push },
          rollout: toJson(rollout),
          createdAt: new Date(),
        },
      }),
    );
    return policyOf(row);
  }

  async list(): Promise<PolicyView[]> {
    const rows = await this.database.read.tuningPolicy.findMany({
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
      take: MOST_LISTED,
    });
    return rows.map(policyOf);
  }

  /** Ends a policy; what it rolled out stays. @throws ServerError NOT_FOUND */
  async remove(id: string): Promise<void> {
    const removed = await this.database.write(async (transaction) => {
      await transaction.tunedDevice.deleteMany({ where: { policyId: id } });
      await transaction.proposal.updateMany({
        where: { policyId: id, state: 'open' },
        data: { state: 'dismissed', note: 'the policy was removed', decidedAt: new Date() },
      });
      return transaction.tuningPolicy.deleteMany({ where: { id } });
    });
    if (removed.count === 0) throw notFound(`policy ${id}`);
  }
}

function policyOf(row: TuningPolicy): PolicyView {
  return {
    id: row.id,
    releaseId: row.releaseId,
    selector: row.selector,
    push: row.push,
    rollout: fromJson(rolloutSpecSchema, row.rollout),
    createdAt: row.createdAt.toISOString(),
  };
}
