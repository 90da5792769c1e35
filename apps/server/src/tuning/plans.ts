import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { budgetSchema, profileSchema, type Budget, type Profile } from '@espalier/protocol';
import { chooseVariant, type Candidate } from '@espalier/tuning';
import { notFound, ServerError } from '../errors.js';
import { parseSelector, whereSelected } from '../fleet/selector.js';
import type { Plan } from '../generated/prisma/client.js';
import { Library } from '../models/library.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { planningCandidate } from './candidates.js';
import { assignmentSchema, type Assignment, type PlanRequest, type PlanView } from './schemas.js';

const PAGE = 100;

/** Plans: which candidate each device would get, and why; stored as they were made. */
@Injectable()
export class Plans {
  constructor(
    private readonly database: Database,
    private readonly library: Library,
  ) {}

  /**
   * Plans for the selected devices, page by page, letting requests through between the pages.
   * @throws ServerError NOT_FOUND, PLAN_EMPTY; TuningError
   */
  async create(request: PlanRequest): Promise<PlanView> {
    const { modelId, selector } = request;
    const candidates = (await this.library.planned(modelId)).map(planningCandidate);
    if (candidates.length === 0) {
      throw new ServerError(
        'PLAN_EMPTY',
        409,
        `Model ${modelId} has no candidates yet; POST /api/v1/models/${modelId}/candidates first.`,
      );
    }
    const where = whereSelected(parseSelector(selector));
    const assignments: Assignment[] = [];
    let after = '';
    for (;;) {
      const devices = await this.database.read.device.findMany({
        where: { ...where, id: { gt: after } },
        orderBy: { id: 'asc' },
        take: PAGE,
        include: { profiles: { orderBy: { id: 'desc' }, take: 1 } },
      });
      for (const device of devices) {
        const [profile] = device.profiles;
        assignments.push(
          assign(
            device.id,
            profile ? fromJson(profileSchema, profile.document) : null,
            fromJson(budgetSchema, device.budget),
            candidates,
          ),
        );
        await setImmediate();
      }
      const last = devices.at(-1);
      if (!last || devices.length < PAGE) break;
      after = last.id;
    }
    if (assignments.length === 0) {
      throw new ServerError('PLAN_EMPTY', 422, `No device matches the selector "${selector}".`);
    }
    const row = await this.database.write((transaction) =>
      transaction.plan.create({
        data: {
          id: `p-${randomBytes(6).toString('hex')}`,
          modelId,
          selector,
          document: toJson(assignments),
          createdAt: new Date(),
        },
      }),
    );
    return viewOf(row);
  }

  /** @throws ServerError NOT_FOUND */
  async get(id: string): Promise<PlanView> {
    const row = await this.database.read.plan.findUnique({ where: { id } });
    if (!row) throw notFound(`plan ${id}`);
    return viewOf(row);
  }
}

function assign(
  deviceId: string,
  profile: Profile | null,
  budget: Budget,
  candidates: readonly Candidate[],
): Assignment {
  if (!profile) {
    return {
      deviceId,
      candidateId: null,
      predictedLatencyMs: null,
      reasons: ['the device has not sent a profile yet'],
      excluded: [],
    };
  }
  const choice = chooseVariant(profile, budget, candidates);
  return {
    deviceId,
    candidateId: choice.candidateId,
    predictedLatencyMs: choice.predicted?.ms ?? null,
    reasons: [...choice.reasons],
    excluded: choice.excluded.map(({ candidateId, why }) => ({ candidateId, why })),
    ...(choice.wouldFit
      ? { wouldFit: { candidateId: choice.wouldFit.candidateId, text: choice.wouldFit.text } }
      : {}),
  };
}

function viewOf(row: Plan): PlanView {
  return {
    id: row.id,
    modelId: row.modelId,
    selector: row.selector,
    assignments: fromJson(assignmentSchema.array(), row.document),
    createdAt: row.createdAt.toISOString(),
  };
}
