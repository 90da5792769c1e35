import { Injectable } from '@nestjs/common';
import { releaseSchema } from '@espalier/protocol';
import type { Member, RolloutState } from '@espalier/rollout';
import { parseSelector, whereSelected } from '../fleet/selector.js';
import { Database } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';
import { Plans } from '../tuning/plans.js';
import { Members } from './members.js';

const EVERY_MS = 5_000;
const MOST_LOOKED_AT = 100_000;

/** Finds devices that came into a rollout's selection after it was written, and plans for them. */
@Injectable()
export class LateJoiners {
  private readonly lookedAt = new Map<string, number>();
  private readonly passedOver = new Map<string, Set<string>>();

  constructor(
    private readonly database: Database,
    private readonly plans: Plans,
    private readonly members: Members,
  ) {}

  /** Members that may join now; each is looked at once. */
  async of(state: RolloutState, now: number): Promise<Member[]> {
    if (!state.spec.joinLate || now - (this.lookedAt.get(state.id) ?? 0) < EVERY_MS) return [];
    this.lookedAt.set(state.id, now);
    const { read } = this.database;
    const rollout = await read.rollout.findUniqueOrThrow({ where: { id: state.id } });
    const plan = await this.plans.get(rollout.planId);
    const seen = this.passedOver.get(state.id) ?? new Set<string>();
    this.passedOver.set(state.id, seen);
    const rows = await read.device.findMany({
      where: {
        ...whereSelected(parseSelector(plan.selector), this.database),
        profileSha256: { not: null },
      },
      select: { id: true },
      take: MOST_LOOKED_AT,
    });
    const late = rows.filter(({ id }) => !state.devices.has(id) && !seen.has(id));
    if (late.length === 0) return [];
    const { assignments } = await this.plans.create({
      modelId: plan.modelId,
      selector: plan.selector,
    });
    const release = await read.release.findUniqueOrThrow({ where: { id: rollout.releaseId } });
    const held = new Set(fromJson(releaseSchema, release.document).variants.map(({ id }) => id));
    const wanted = new Set(late.map(({ id }) => id));
    const { members } = await this.members.of(
      read,
      assignments.filter(({ deviceId, candidateId }) => {
        return wanted.has(deviceId) && candidateId !== null && held.has(candidateId);
      }),
      state.variants,
    );
    const busy = await this.members.busy(read, [...wanted]);
    for (const id of wanted) seen.add(id);
    return members.filter(({ deviceId }) => !busy.has(deviceId));
  }

  /** Forgets all rollouts but these: the others have ended. */
  keepOnly(rolloutIds: readonly string[]): void {
    for (const known of [this.lookedAt, this.passedOver]) {
      for (const id of known.keys()) if (!rolloutIds.includes(id)) known.delete(id);
    }
  }
}
