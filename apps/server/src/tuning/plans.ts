import { Injectable } from '@nestjs/common';
import { notFound } from '../errors.js';
import type { Plan } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';
import { assignmentSchema, type PlanRequest, type PlanView } from './schemas.js';

/** Plans. */
@Injectable()
export class Plans {
  constructor(private readonly database: Database) {}

  async create(request: PlanRequest): Promise<PlanView> {
    throw notFound(`plan for ${request.modelId}`);
  }

  /** @throws ServerError NOT_FOUND */
  async get(id: string): Promise<PlanView> {
    const row = await this.database.read.plan.findUnique({ where: { id } });
    if (!row) throw notFound(`plan ${id}`);
    return viewOf(row);
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
