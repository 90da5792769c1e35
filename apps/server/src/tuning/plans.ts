import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { budgetSchema, profileSchema } from '@espalier/protocol';
import type { PlanDevice } from '@espalier/tuning';
import { notFound, ServerError } from '../errors.js';
import { parseSelector, whereSelected } from '../fleet/selector.js';
import type { Plan } from '../generated/prisma/client.js';
import { Library } from '../models/library.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { planningCandidate } from './candidates.js';
import { planInThread } from './planning-thread.js';
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
   * Plans for the selected devices.
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
    const { devices, unmeasured } = await this.devices(selector);
    if (devices.length + unmeasured.length === 0) {
      throw new ServerError('PLAN_EMPTY', 422, `No device matches the selector "${selector}".`);
    }
    const planned = devices.length > 0 ? await planInThread({ devices, candidates }) : [];
    const assignments = [
      ...planned,
      ...unmeasured.map((deviceId): Assignment => ({
        deviceId,
        candidateId: null,
        predictedLatencyMs: null,
        reasons: ['the device has not sent a profile yet'],
        excluded: [],
      })),
    ].sort((a, b) => (a.deviceId < b.deviceId ? -1 : 1));
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

  /** The selected devices with their newest profile, read page by page. */
  private async devices(
    selector: string,
  ): Promise<{ devices: PlanDevice[]; unmeasured: string[] }> {
    const where = whereSelected(parseSelector(selector), this.database);
    const devices: PlanDevice[] = [];
    const unmeasured: string[] = [];
    for (let after = '', full = true; full;) {
      const rows = await this.database.read.device.findMany({
        where: { ...where, id: { gt: after } },
        orderBy: { id: 'asc' },
        take: PAGE,
        include: { profiles: { orderBy: { id: 'desc' }, take: 1 } },
      });
      for (const { id, budget, profiles } of rows) {
        const [profile] = profiles;
        if (!profile) unmeasured.push(id);
        else {
          devices.push({
            id,
            profile: fromJson(profileSchema, profile.document),
            budget: fromJson(budgetSchema, budget),
          });
        }
      }
      after = rows.at(-1)?.id ?? after;
      full = rows.length === PAGE;
    }
    return { devices, unmeasured };
  }
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
