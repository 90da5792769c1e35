import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { notFound } from '../errors.js';
import type { Alert } from '../generated/prisma/client.js';
import { EventStream } from '../http/event-stream.js';
import { Database, type Transaction } from '../persistence/database.js';
import type { Reading } from './readings.js';
import { alertSchema, type AlertQuery, type AlertView, type RuleView } from './schemas.js';

/** Alerts that were raised, and what became of them. */
@Injectable()
export class Alerts {
  constructor(
    private readonly database: Database,
    private readonly events: EventStream,
  ) {}

  /** The newest first. */
  async list({ state, limit }: AlertQuery): Promise<AlertView[]> {
    const open = { active: { clearedAt: null }, cleared: { NOT: { clearedAt: null } } };
    const rows = await this.database.read.alert.findMany({
      where: state ? open[state] : {},
      orderBy: [{ raisedAt: 'desc' }, { id: 'asc' }],
      take: limit,
    });
    return rows.map(alertOf);
  }

  async active(): Promise<AlertView[]> {
    const rows = await this.database.read.alert.findMany({ where: { clearedAt: null } });
    return rows.map(alertOf);
  }

  /** A person has seen it; the first one is kept. @throws ServerError NOT_FOUND */
  async acknowledge(id: string, by: string): Promise<AlertView> {
    const row = await this.database.write(async (transaction) => {
      await transaction.alert.updateMany({
        where: { id, acknowledgedAt: null },
        data: { acknowledgedAt: new Date(), acknowledgedBy: by },
      });
      return transaction.alert.findUnique({ where: { id } });
    });
    if (!row) throw notFound(`alert ${id}`);
    return this.told(row);
  }

  /** Writes a new alert down, its notice with it where the rule has a webhook. */
  async raise(
    rule: RuleView,
    { releaseId, variantId, value, restsOn }: Reading,
    now: Date,
  ): Promise<AlertView> {
    const row = await this.database.write(async (transaction) => {
      const raised = await transaction.alert.create({
        data: {
          id: `e-${randomBytes(6).toString('hex')}`,
          ruleId: rule.id,
          name: rule.name,
          metric: rule.metric,
          ...{ releaseId, variantId, value: value ?? rule.raise, restsOn, raisedAt: now },
        },
      });
      await notice(transaction, rule, raised.id, 'raised', now);
      return raised;
    });
    return this.told(row);
  }

  async clear(rule: RuleView, id: string, value: number, now: Date): Promise<AlertView> {
    const row = await this.database.write(async (transaction) => {
      await notice(transaction, rule, id, 'cleared', now);
      return transaction.alert.update({ where: { id }, data: { clearedAt: now, value } });
    });
    return this.told(row);
  }

  private told(row: Alert): AlertView {
    const alert = alertOf(row);
    this.events.emit({ type: 'alert', data: alert });
    return alert;
  }
}

async function notice(
  transaction: Transaction,
  rule: RuleView,
  alertId: string,
  change: 'raised' | 'cleared',
  now: Date,
): Promise<void> {
  if (!rule.actions.webhook) return;
  await transaction.alertNotice.create({
    data: { ruleId: rule.id, alertId, change, attempts: 0, dueAt: now },
  });
}

/** A stored alert as it is shown. */
export function alertOf(row: Alert): AlertView {
  return alertSchema.parse({
    ...row,
    state: row.clearedAt ? 'cleared' : 'active',
    raisedAt: row.raisedAt.toISOString(),
    clearedAt: row.clearedAt?.toISOString() ?? null,
    acknowledgedAt: row.acknowledgedAt?.toISOString() ?? null,
  });
}
