import { createHmac } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { AlertNotice } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { AlertRules } from './alert-rules.js';
import { alertOf } from './alerts.js';
import type { AlertActions } from './schemas.js';

const EVERY_MS = 1_000;
const AT_ONCE = 20;
const TIMEOUT_MS = 10_000;
/** Waits between attempts; after the last one a notice is given up. */
const WAITS_MS = [5_000, 30_000, 120_000, 600_000, 3_600_000];

/**
 * Tells webhooks of alerts: what is to be told is stored with the alert, so that it survives a crash,
 * and may come twice; its id says so. Redirects are not followed, and nothing of an answer is kept or
 * shown, so that a webhook cannot be used to read what only this server reaches.
 */
@Injectable()
export class Webhooks {
  private readonly logger = new Logger('webhooks');
  private working = false;

  constructor(
    private readonly database: Database,
    private readonly rules: AlertRules,
  ) {}

  @Interval(EVERY_MS)
  async tick(): Promise<void> {
    if (this.working) return;
    this.working = true;
    try {
      const due = await this.database.read.alertNotice.findMany({
        where: { dueAt: { lte: new Date() } },
        orderBy: { dueAt: 'asc' },
        take: AT_ONCE,
      });
      await Promise.all(due.map((notice) => this.tell(notice)));
    } catch (cause) {
      this.logger.error(cause);
    } finally {
      this.working = false;
    }
  }

  private async tell(notice: AlertNotice): Promise<void> {
    const { id, ruleId, alertId, change, attempts } = notice;
    const rule = await this.rules.whole(ruleId);
    const alert = await this.database.read.alert.findUnique({ where: { id: alertId } });
    const webhook = rule?.actions.webhook;
    const problem =
      webhook && alert
        ? await post(webhook, { id: `${alertId}/${change}`, change, alert: alertOf(alert) })
        : null;
    const wait = WAITS_MS[attempts];
    const isOver = problem === null || wait === undefined;
    if (problem !== null) {
      this.logger.warn({ msg: 'webhook failed', alertId, attempts: attempts + 1, problem, isOver });
    }
    await this.database.write(async ({ alertNotice }) => {
      if (isOver) await alertNotice.deleteMany({ where: { id } });
      else {
        const dueAt = new Date(Date.now() + wait);
        await alertNotice.updateMany({ where: { id }, data: { attempts: attempts + 1, dueAt } });
      }
    });
  }
}

/** @returns null when it was taken, else why not, without the address, which may hold a secret */
async function post(
  { url, secret }: NonNullable<AlertActions['webhook']>,
  body: object,
): Promise<string | null> {
  const text = JSON.stringify(body);
  const signature = createHmac('sha256', secret).update(text).digest('hex');
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-espalier-signature': `sha256=${signature}`,
      },
      body: text,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? null : `it answered ${response.status}`;
  } catch (cause) {
    const isLate = cause instanceof Error && cause.name === 'TimeoutError';
    return isLate ? `no answer within ${TIMEOUT_MS / 1000} s` : 'it could not be reached';
  }
}
