import { Injectable } from '@nestjs/common';
import {
  budgetSchema,
  labelsSchema,
  selects,
  type Budget,
  type Selector,
} from '@espalier/protocol';
import { layeredBudget } from '@espalier/tuning';
import type { z } from 'zod';
import { parseSelector } from '../fleet/selector.js';
import { notFound } from '../errors.js';
import type { Device } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import type { DeviceBudget, GroupBudgetRequest, groupBudgetsSchema } from './schemas.js';

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
    const layers = await this.layers();
    return (device) => {
      const matching = layers.filter(({ labels }) =>
        selects(labels, fromJson(labelsSchema, device.labels)),
      );
      return layeredBudget([
        ...matching.map(({ budget }) => budget),
        fromJson(budgetSchema, device.budget),
      ]);
    };
  }

  /** The budget of one device, and what it comes from. @throws ServerError NOT_FOUND */
  async of(deviceId: string): Promise<DeviceBudget> {
    const device = await this.database.read.device.findUnique({ where: { id: deviceId } });
    if (!device) throw notFound(`device ${deviceId}`);
    const labels = fromJson(labelsSchema, device.labels);
    const groups = (await this.layers()).filter((layer) => selects(layer.labels, labels));
    const own = fromJson(budgetSchema, device.budget);
    return {
      effective: layeredBudget([...groups.map(({ budget }) => budget), own]),
      groups: groups.map(({ selector, budget }) => ({ selector, budget })),
      own,
    };
  }

  /** The least particular first. */
  private async layers(): Promise<{ selector: string; labels: Selector; budget: Budget }[]> {
    const { budgets } = await this.list();
    return budgets
      .map(({ selector, budget }) => ({ selector, labels: parseSelector(selector), budget }))
      .sort((a, b) => Object.keys(a.labels).length - Object.keys(b.labels).length);
  }
}
