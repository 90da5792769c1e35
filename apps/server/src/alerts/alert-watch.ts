import { Injectable, Logger } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { AlertActing } from './alert-acting.js';
import { nextAlert, QUIET, type AlertState } from './alert-machine.js';
import { AlertRules } from './alert-rules.js';
import { Alerts } from './alerts.js';
import { Readings, type Reading } from './readings.js';
import { ALERT_METRICS, type AlertSubject, type AlertView, type RuleView } from './schemas.js';

const EVERY_MS = 5_000;

/**
 * Reads every rule's metric and raises or clears alerts. Which are raised is in the database; for how
 * long a value has been bad or good is not, so after a restart that time begins anew.
 */
@Injectable()
export class AlertWatch {
  private readonly logger = new Logger('alerts');
  private readonly states = new Map<string, AlertState>();
  private working = false;

  constructor(
    private readonly rules: AlertRules,
    private readonly readings: Readings,
    private readonly alerts: Alerts,
    private readonly acting: AlertActing,
  ) {}

  @Interval(EVERY_MS)
  async tick(): Promise<void> {
    if (this.working) return;
    this.working = true;
    try {
      await this.look(new Date());
    } catch (cause) {
      this.logger.error(cause);
    } finally {
      this.working = false;
    }
  }

  /** Looks at every rule once. */
  async look(now: Date): Promise<void> {
    const rules = await this.rules.list();
    if (rules.length === 0) return;
    const active = new Map(
      (await this.alerts.active()).map((alert) => [keyOf(alert.ruleId, alert), alert]),
    );
    const seen = new Set<string>();
    for (const rule of rules) {
      try {
        for (const reading of await this.readings.of(rule, now)) {
          const key = keyOf(rule.id, reading);
          seen.add(key);
          await this.take(rule, reading, active.get(key), now);
        }
      } catch (cause) {
        // One rule that cannot be read must not hold up the others, nor forget what it saw.
        this.logger.error({ msg: 'alert rule not read', ruleId: rule.id, err: cause });
        for (const key of this.states.keys()) if (key.startsWith(`${rule.id}/`)) seen.add(key);
      }
    }
    for (const key of this.states.keys()) if (!seen.has(key)) this.states.delete(key);
    await this.acting.again(rules);
  }

  private async take(
    rule: RuleView,
    reading: Reading,
    active: AlertView | undefined,
    now: Date,
  ): Promise<void> {
    const key = keyOf(rule.id, reading);
    const kept = this.states.get(key) ?? QUIET;
    const isOpen = kept.phase === 'raised' || kept.phase === 'recovering';
    // The database knows best whether it is raised.
    const state: AlertState = active
      ? isOpen
        ? kept
        : { phase: 'raised' }
      : isOpen
        ? QUIET
        : kept;
    const { bad } = ALERT_METRICS[rule.metric];
    const { raise, clear } = rule;
    const next = nextAlert(
      state,
      { bad, raise, clear, forMs: rule.forSeconds * 1000 },
      reading.value,
      now.getTime(),
    );
    this.states.set(key, next.state);
    if (next.change === 'raised') {
      const alert = await this.alerts.raise(rule, reading, now);
      this.logger.warn({ msg: 'alert raised', alert });
      await this.acting.on(rule, alert);
    }
    if (next.change === 'cleared' && active && reading.value !== null) {
      const alert = await this.alerts.clear(rule, active.id, reading.value, now);
      this.logger.log({ msg: 'alert cleared', alert });
    }
  }
}

const keyOf = (ruleId: string, { releaseId, variantId }: AlertSubject): string =>
  `${ruleId}/${releaseId ?? ''}/${variantId ?? ''}`;
