import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { notFound, ServerError } from '../errors.js';
import { parseSelector } from '../fleet/selector.js';
import type { AlertRule } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { ruleRequestSchema, type RuleRequest, type RuleView } from './schemas.js';

const MOST_RULES = 100;

/** What is watched. */
@Injectable()
export class AlertRules {
  constructor(private readonly database: Database) {}

  /** @throws ServerError REQUEST_INVALID when there are too many, or for a selector */
  async create(request: RuleRequest): Promise<RuleView> {
    parseSelector(request.selector);
    const row = await this.database.write(async (transaction) => {
      if ((await transaction.alertRule.count()) >= MOST_RULES) {
        throw new ServerError(
          'REQUEST_INVALID',
          400,
          `There are ${MOST_RULES} alert rules already; remove one first.`,
        );
      }
      return transaction.alertRule.create({
        data: {
          id: `a-${randomBytes(6).toString('hex')}`,
          document: toJson(request),
          createdAt: new Date(),
        },
      });
    });
    return viewOf(row);
  }

  async list(): Promise<RuleView[]> {
    const rows = await this.database.read.alertRule.findMany({
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    });
    return rows.map(viewOf);
  }

  /** A rule with its webhook's secret; null: it was removed. */
  async whole(id: string): Promise<RuleRequest | null> {
    const row = await this.database.read.alertRule.findUnique({ where: { id } });
    return row ? fromJson(ruleRequestSchema, row.document) : null;
  }

  /** Ends a rule; its alerts are over. @throws ServerError NOT_FOUND */
  async remove(id: string): Promise<void> {
    const { count } = await this.database.write(async (transaction) => {
      await transaction.alert.updateMany({
        where: { ruleId: id, clearedAt: null },
        data: { clearedAt: new Date() },
      });
      await transaction.alertNotice.deleteMany({ where: { ruleId: id } });
      return transaction.alertRule.deleteMany({ where: { id } });
    });
    if (count === 0) throw notFound(`alert rule ${id}`);
  }
}

function viewOf(row: AlertRule): RuleView {
  const { actions, ...rule } = fromJson(ruleRequestSchema, row.document);
  const { webhook, pauseRollouts, planAgain } = actions;
  return {
    ...rule,
    id: row.id,
    actions: { webhook: webhook ? { url: webhook.url } : null, pauseRollouts, planAgain },
    createdAt: row.createdAt.toISOString(),
  };
}
