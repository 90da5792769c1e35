import { Injectable, Logger } from '@nestjs/common';
import { ServerError } from '../errors.js';
import { Database } from '../persistence/database.js';
import { Rollouts } from '../rollout/rollouts.js';
import { Retuning } from '../tuning/retuning.js';
import { Alerts } from './alerts.js';
import type { AlertView, RuleView } from './schemas.js';

/** What is done about an alert besides telling of it. */
@Injectable()
export class AlertActing {
  private readonly logger = new Logger('alerts');

  constructor(
    private readonly database: Database,
    private readonly alerts: Alerts,
    private readonly rollouts: Rollouts,
    private readonly retuning: Retuning,
  ) {}

  /** Acts on an alert that was just raised. */
  async on(rule: RuleView, alert: AlertView): Promise<void> {
    const { releaseId, variantId } = alert;
    if (rule.actions.planAgain && releaseId !== null && variantId !== null) {
      await this.retuning.askAgain(releaseId, variantId, wordsOf(rule, alert));
    }
    if (rule.actions.pauseRollouts) await this.pause(await this.running(), rule, alert);
  }

  /** Holds what was started since, as long as an alert is active and nobody has acknowledged it. */
  async again(rules: readonly RuleView[]): Promise<void> {
    // Read before the alerts: what runs because somebody has seen its alert is not among them.
    const running = await this.running();
    if (running.length === 0) return;
    for (const alert of await this.alerts.active()) {
      const rule = rules.find(({ id }) => id === alert.ruleId);
      if (!rule?.actions.pauseRollouts || alert.acknowledgedAt !== null) continue;
      await this.pause(running, rule, alert);
    }
  }

  private running(): Promise<{ id: string; releaseId: string }[]> {
    return this.database.read.rollout.findMany({
      where: { status: 'running' },
      select: { id: true, releaseId: true },
    });
  }

  private async pause(
    running: readonly { readonly id: string; readonly releaseId: string }[],
    rule: RuleView,
    alert: AlertView,
  ): Promise<void> {
    for (const { id, releaseId } of running) {
      if (alert.releaseId !== null && alert.releaseId !== releaseId) continue;
      try {
        const why = wordsOf(rule, alert);
        await this.rollouts.order(id, { type: 'pause', by: `alert ${alert.id}`, why });
      } catch (cause) {
        // It ended or was paused by another meanwhile.
        if (!(cause instanceof ServerError)) throw cause;
        this.logger.log({ msg: 'rollout not paused', rolloutId: id, why: cause.message });
      }
    }
  }
}

const wordsOf = (rule: RuleView, { value, restsOn }: AlertView): string =>
  `alert "${rule.name}": ${rule.metric} is ${Number(value.toPrecision(4))}, the limit ${rule.raise}${restsOn === null ? '' : ` (${restsOn})`}`;
