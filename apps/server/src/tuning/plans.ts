import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Candidate } from '@espalier/tuning';
import { notFound, ServerError } from '../errors.js';
import type { Plan } from '../generated/prisma/client.js';
import { Library } from '../models/library.js';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { planningCandidate } from './candidates.js';
import { planInThread } from './planning-thread.js';
import {
  assignmentSchema,
  type Assignment,
  type PlanPreview,
  type PlanRequest,
  type PlanView,
} from './schemas.js';
import { Subjects } from './subjects.js';

/** Devices whose candidates a preview tells one by one. */
const MOST_PREVIEWED = 100;

/** Plans: which candidate each device would get, and why; stored as they were made. */
@Injectable()
export class Plans {
  constructor(
    private readonly database: Database,
    private readonly library: Library,
    private readonly subjects: Subjects,
  ) {}

  /**
   * Plans for the selected devices.
   * @throws ServerError NOT_FOUND, PLAN_EMPTY; TuningError
   */
  async create(request: PlanRequest): Promise<PlanView> {
    const { modelId, selector } = request;
    const candidates = await this.candidates(modelId);
    const { devices, unmeasured } = await this.selected(selector);
    const planned =
      devices.length > 0 ? await planInThread({ devices, candidates, detail: false }) : [];
    const assignments = [
      ...planned.map(({ assignment }) => assignment),
      ...unmeasured.map(notMeasured),
    ].sort((a, b) => (a.deviceId < b.deviceId ? -1 : 1));
    const row = await this.database.write((transaction) =>
      this.store(transaction, { modelId, selector, assignments }),
    );
    return viewOf(row);
  }

  /**
   * The same without storing it, with every candidate's cost on each device.
   * @throws ServerError NOT_FOUND, PLAN_EMPTY; TuningError
   */
  async preview({ modelId, selector }: PlanRequest): Promise<PlanPreview> {
    const candidates = await this.candidates(modelId);
    const { devices, unmeasured } = await this.selected(selector);
    const shown = devices.slice(0, MOST_PREVIEWED);
    const planned =
      shown.length > 0 ? await planInThread({ devices: shown, candidates, detail: true }) : [];
    const budgets = new Map(shown.map(({ id, budget }) => [id, budget]));
    return {
      ...{ modelId, selector },
      assignments: [
        ...planned.map(({ assignment, options }) => ({
          ...assignment,
          budget: budgets.get(assignment.deviceId) ?? {},
          options: [...options],
        })),
        ...unmeasured.map((id) => ({ ...notMeasured(id), budget: {}, options: [] })),
      ].sort((a, b) => (a.deviceId < b.deviceId ? -1 : 1)),
      more: devices.length - shown.length,
    };
  }

  /** Stores a plan within a write. */
  store(
    transaction: Transaction,
    plan: Pick<PlanView, 'modelId' | 'selector' | 'assignments'>,
  ): Promise<Plan> {
    const { modelId, selector, assignments } = plan;
    return transaction.plan.create({
      data: {
        id: `p-${randomBytes(6).toString('hex')}`,
        modelId,
        selector,
        document: toJson(assignments),
        createdAt: new Date(),
      },
    });
  }

  /** @throws ServerError NOT_FOUND */
  async get(id: string): Promise<PlanView> {
    const row = await this.database.read.plan.findUnique({ where: { id } });
    if (!row) throw notFound(`plan ${id}`);
    return viewOf(row);
  }

  private async candidates(modelId: string): Promise<Candidate[]> {
    const candidates = (await this.library.planned(modelId)).map(planningCandidate);
    if (candidates.length > 0) return candidates;
    throw new ServerError(
      'PLAN_EMPTY',
      409,
      `Model ${modelId} has no candidates yet; POST /api/v1/models/${modelId}/candidates first.`,
    );
  }

  private async selected(selector: string): ReturnType<Subjects['selected']> {
    const found = await this.subjects.selected(selector);
    if (found.devices.length + found.unmeasured.length > 0) return found;
    throw new ServerError(
      'PLAN_EMPTY',
      422,
      `No device matches the selector "${selector}"; GET /api/v1/devices lists devices and their labels, and without a selector all are planned for. If there is none yet, enrol one first.`,
    );
  }
}

const notMeasured = (deviceId: string): Assignment => ({
  deviceId,
  candidateId: null,
  predictedLatencyMs: null,
  reasons: ['the device has not sent a profile yet'],
  excluded: [],
});

function viewOf(row: Plan): PlanView {
  return {
    id: row.id,
    modelId: row.modelId,
    selector: row.selector,
    assignments: fromJson(assignmentSchema.array(), row.document),
    createdAt: row.createdAt.toISOString(),
  };
}
