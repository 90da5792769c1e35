import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression, Interval } from '@nestjs/schedule';
import { Housekeeping } from '../persistence/housekeeping.js';
import { DeliveryService } from './delivery.js';
import { Rollouts } from './rollouts.js';

const TICK_MS = 500;

/** The clock of the server: rollouts tick, counters are stored, what is old is forgotten. */
@Injectable()
export class RolloutTicker {
  private readonly logger = new Logger('ticker');
  private ticking = false;

  constructor(
    private readonly rollouts: Rollouts,
    private readonly delivery: DeliveryService,
    private readonly housekeeping: Housekeeping,
  ) {}

  @Interval(TICK_MS)
  async tick(): Promise<void> {
    if (this.ticking) return;
    this.ticking = true;
    try {
      await this.rollouts.tick();
      await this.delivery.save();
    } catch (cause) {
      this.logger.error(cause);
    } finally {
      this.ticking = false;
    }
  }

  @Cron(CronExpression.EVERY_10_MINUTES)
  async forget(): Promise<void> {
    await this.housekeeping.forget(new Date()).catch((cause: unknown) => this.logger.error(cause));
  }
}
