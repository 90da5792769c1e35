import { Injectable } from '@nestjs/common';
import { budgetSchema, labelsSchema, type Budget } from '@espalier/protocol';
import { layeredBudget } from '@espalier/tuning';
import type { z } from 'zod';
import { parseSelector } from '../fleet/selector.js';
import type { Device } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import type { GroupBudgetRequest, groupBudgetsSchema } from './schemas.js';

/** Gives the budget that holds for a device. */
export type BudgetOf = (device: Pick<Device, 'labels' | 'budget'>) => Budget;

/** Budgets of the whole fleet and of labels, under those of single devices. */
@Injectable()
export class GroupBudgets {
  constructor(private readonly database: Database) {}

  async list(): Promise<z.infer<typeof groupBudgetsSchema>> {
    const rows = await this.database.read.groupBudget.findMany({ orderBy: { selector: 'asc' } });
    return {
      budgets: rows.map(({ selector, budget, updatedAt }) => ({
        selector,
        budget: fromJson(budgetSchema, budget),
        updatedAt: updatedAt.toISOString(),
      })),
    };
  }

  /** Sets a group's budget; an empty one takes it away. @throws ServerError REQUEST_INVALID */
  async put({ selector, budget }: GroupBudgetRequest): Promise<z.infer<typeof groupBudgetsSchema>> {
    parseSelector(selector);
    await this.database.write(async (transaction) => {
      if (Object.keys(budget).length === 0) {
        await transaction.groupBudget.deleteMany({ where: { selector } });
        return;
      }
      const data = { budget: toJson(budget), updatedAt: new Date() };
      await transaction.groupBudget.upsert({
        where: { selector },
        create: { selector, ...data },
        update: data,
      });
    });
    return this.list();
  }

  /** The rule by which a device's budget is found, as it is now. */
  async rule(): Promise<BudgetOf> {
    const { budgets } = await this.list();
    const layers = budgets
      .map(({ selector, budget }) => ({ labels: Object.entries(parseSelector(selector)), budget }))
      .sort((a, b) => a.labels.length - b.labels.length);
    return (device) => {
      const own = fromJson(labelsSchema, device.labels);
      const matching = layers.filter(({ labels }) =>
        labels.every(([key, value]) => own[key] === value),
      );
      return layeredBudget([
        ...matching.map(({ budget }) => budget),
        fromJson(budgetSchema, device.budget),
      ]);
    };
  }
}
