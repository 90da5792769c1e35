import { Inject, Injectable } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { Database } from './database.js';

const DAY_MS = 86_400_000;
const ROWS_AT_ONCE = 5_000;
/** A message is not sent again once it was acknowledged; two days cover what was lost meanwhile. */
const INBOX_DAYS = 2;
const ALERT_DAYS = 365;

/** Keeps what grows with time within bounds. */
@Injectable()
export class Housekeeping {
  constructor(
    private readonly database: Database,
    @Inject(CONFIGURATION)
    private readonly configuration: Pick<Configuration, 'telemetryDays' | 'rollUpDays' | 'shadow'>,
  ) {}

  /** Forgets old telemetry, sums and alerts, ids of old messages, and tokens that expired, some at a time. */
  async forget(now: Date): Promise<void> {
    const telemetryBefore = new Date(now.getTime() - this.configuration.telemetryDays * DAY_MS);
    const inboxBefore = new Date(now.getTime() - INBOX_DAYS * DAY_MS);
    const { read } = this.database;
    const [window] = await read.telemetryWindow.findMany({
      where: { receivedAt: { lt: telemetryBefore } },
      select: { receivedAt: true },
      orderBy: { receivedAt: 'asc' },
      skip: ROWS_AT_ONCE,
      take: 1,
    });
    const [message] = await read.inbox.findMany({
      where: { receivedAt: { lt: inboxBefore } },
      select: { receivedAt: true },
      orderBy: { receivedAt: 'asc' },
      skip: ROWS_AT_ONCE,
      take: 1,
    });
    await this.database.write(async (transaction) => {
      await transaction.telemetryWindow.deleteMany({
        where: { receivedAt: { lt: window?.receivedAt ?? telemetryBefore } },
      });
      await transaction.driftStream.deleteMany({ where: { at: { lt: telemetryBefore } } });
      await transaction.inbox.deleteMany({
        where: { receivedAt: { lt: message?.receivedAt ?? inboxBefore } },
      });
      for (const [resolution, days] of Object.entries(this.configuration.rollUpDays)) {
        const start = { lt: new Date(now.getTime() - days * DAY_MS) };
        await transaction.rollUp.deleteMany({ where: { resolution, start } });
      }
      const { days } = this.configuration.shadow;
      await transaction.shadowSample.deleteMany({
        where: { receivedAt: { lt: new Date(now.getTime() - days * DAY_MS) } },
      });
      await transaction.shadowTally.deleteMany({
        where: {
          hour: { lt: new Date(now.getTime() - this.configuration.rollUpDays.hour * DAY_MS) },
        },
      });
      await transaction.alert.deleteMany({
        where: { clearedAt: { lt: new Date(now.getTime() - ALERT_DAYS * DAY_MS) } },
      });
      await transaction.claimToken.deleteMany({
        where: { usedAt: null, expiresAt: { lt: inboxBefore } },
      });
      await transaction.accessToken.deleteMany({ where: { expiresAt: { lt: now } } });
    });
  }
}
