import { Injectable } from '@nestjs/common';
import { signedSchema } from '@espalier/protocol';
import type { RolloutSpecInput, RolloutVariant } from '@espalier/rollout';
import { notFound, ServerError } from '../errors.js';
import type { Release } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';
import { Plans } from '../tuning/plans.js';
import type { Assignment } from '../tuning/schemas.js';
import { Members } from './members.js';
import { requireSigned } from './offers.js';
import type { RolloutRequest } from './schemas.js';

/** What a request asks for, looked up. */
export interface Draft {
  readonly release: Release;
  readonly assignments: readonly Assignment[];
  readonly variants: Record<string, RolloutVariant>;
  readonly spec: RolloutSpecInput;
}

/** Looks up what a rollout is asked to do, before it is written or shown. */
@Injectable()
export class Drafts {
  constructor(
    private readonly database: Database,
    private readonly plans: Plans,
    private readonly members: Members,
  ) {}

  /** @throws ServerError NOT_FOUND, RELEASE_UNSIGNED, RELEASE_MISMATCH */
  async of({ releaseId, planId, ...spec }: RolloutRequest): Promise<Draft> {
    const release = await this.database.read.release.findUnique({ where: { id: releaseId } });
    if (!release) throw notFound(`release ${releaseId}`);
    requireSigned(releaseId, fromJson(signedSchema.nullable(), release.signed));
    const plan = await this.plans.get(planId);
    if (plan.modelId !== release.modelId) {
      throw new ServerError(
        'RELEASE_MISMATCH',
        409,
        `Plan ${planId} is for model ${plan.modelId}, release ${releaseId} for ${release.modelId}.`,
      );
    }
    const variants = await this.members.variantsOf(release);
    return { release, assignments: plan.assignments, variants, spec };
  }
}
