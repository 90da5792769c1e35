import { Injectable } from '@nestjs/common';
import { profileSchema, runningSchema, type Running } from '@espalier/protocol';
import type { PlanDevice } from '@espalier/tuning';
import { parseSelector, whereSelected } from '../fleet/selector.js';
import { Database } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';
import { GroupBudgets } from './group-budgets.js';

const PAGE = 100;

/** A device to plan for, with the hash of the profile that it is planned from. */
export type Subject = PlanDevice & {
  readonly profileSha256: string;
  readonly running: Running | null;
};

/** Reads the devices that are planned for. */
@Injectable()
export class Subjects {
  constructor(
    private readonly database: Database,
    private readonly budgets: GroupBudgets,
  ) {}

  /** The selected devices that were not revoked, with what they measured and the budget that holds for them, page by page. */
  async selected(selector: string): Promise<{ devices: Subject[]; unmeasured: string[] }> {
    const where = whereSelected(parseSelector(selector), this.database);
    const budgetOf = await this.budgets.rule();
    const devices: Subject[] = [];
    const unmeasured: string[] = [];
    for (let after = '', full = true; full;) {
      const rows = await this.database.read.device.findMany({
        where: { ...where, revokedAt: null, id: { gt: after } },
        orderBy: { id: 'asc' },
        take: PAGE,
        include: { profiles: { orderBy: { id: 'desc' }, take: 1 } },
      });
      for (const row of rows) {
        const [profile] = row.profiles;
        if (!profile) unmeasured.push(row.id);
        else {
          devices.push({
            id: row.id,
            profile: fromJson(profileSchema, profile.settled ?? profile.document),
            profileSha256: profile.sha256,
            budget: budgetOf(row),
            running: fromJson(runningSchema.nullable(), row.running),
          });
        }
      }
      after = rows.at(-1)?.id ?? after;
      full = rows.length === PAGE;
    }
    return { devices, unmeasured };
  }
}
