import { Option, type Command } from 'commander';
import {
  acknowledgeAlert,
  ALERT_METRICS,
  createRule,
  listAlerts,
  listRules,
  removeRule,
  type Alert,
  type AlertRule,
} from '../api/alerts.js';
import { number, whole } from '../option-values.js';
import { ago, duration, milliseconds, percent } from '../output/figures.js';
import { table, type Terminal } from '../output/terminal.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

interface RuleOptions extends ApiOptions {
  readonly metric: string;
  readonly raise: number;
  readonly clear?: number;
  readonly for: number;
  readonly window: number;
  readonly minimum: number;
  readonly selector: string;
  readonly model?: string;
  readonly release?: string;
  readonly webhook?: string;
  readonly webhookSecret?: string;
  readonly pauseRollouts?: boolean;
  readonly planAgain?: boolean;
}

/** Alerts, and the rules that raise them. */
export function addAlerts(program: Command, context: Context): void {
  const { terminal } = context;
  const alerts = program.command('alerts').description('what went wrong in the field, and rules');
  apiCommand(alerts, 'list', 'alerts, the newest first')
    .addOption(new Option('--state <state>', 'only these').choices(['active', 'cleared']))
    .action(async (options: ApiOptions & { state?: string }) => {
      const answer = await listAlerts(connect(options, context), options.state);
      show(answer, options, context, () => alertsText(answer.alerts, terminal));
    });
  apiCommand(alerts, 'acknowledge', 'says that somebody has seen an alert')
    .argument('<alert>')
    .action(async (id: string, options: ApiOptions) => {
      const alert = await acknowledgeAlert(connect(options, context), id);
      show(alert, options, context, () => alertsText([alert], terminal));
    });
  apiCommand(alerts, 'rules', 'the rules that raise alerts').action(async (options: ApiOptions) => {
    const answer = await listRules(connect(options, context));
    show(answer, options, context, () => rulesText(answer.rules, terminal));
  });
  apiCommand(alerts, 'add', 'adds a rule that raises alerts')
    .argument('<name>')
    .addOption(
      new Option('--metric <metric>', 'what it watches')
        .choices([...ALERT_METRICS])
        .makeOptionMandatory(),
    )
    .requiredOption('--raise <value>', 'value from which on it is bad', number)
    .option('--clear <value>', 'value from which on it is good again; by default the same', number)
    .option('--for <seconds>', 'how long it must be bad, and then good', number, 60)
    .option('--window <seconds>', 'over how much time each reading goes', number, 300)
    .option(
      '--minimum <count>',
      'labelled items, samples, inferences or devices that it needs',
      whole(1),
      1,
    )
    .option('--selector <key=value,...>', 'labels of the devices; none: all', '')
    .option('--model <name>', 'only of this model')
    .option('--release <release>', 'only of this release')
    .option('--webhook <url>', 'address that is told, signed with --webhook-secret')
    .addOption(
      new Option('--webhook-secret <secret>', 'secret of at least 16 characters').env(
        'ESPALIER_WEBHOOK_SECRET',
      ),
    )
    .option('--pause-rollouts', 'pause rollouts under way of the release that it is about')
    .option('--plan-again', 'have tuning policies plan anew for devices with the variant')
    .action(async (name: string, options: RuleOptions) => {
      const { metric, raise, minimum, selector, model, release, webhook } = options;
      const rule = await createRule(connect(options, context), {
        ...{ name, metric, raise, minimum, selector },
        clear: options.clear ?? raise,
        forSeconds: options.for,
        windowSeconds: options.window,
        ...(model === undefined ? {} : { model }),
        ...(release === undefined ? {} : { releaseId: release }),
        actions: {
          ...(webhook === undefined
            ? {}
            : { webhook: { url: webhook, secret: options.webhookSecret ?? '' } }),
          pauseRollouts: options.pauseRollouts ?? false,
          planAgain: options.planAgain ?? false,
        },
      });
      show(rule, options, context, () => rulesText([rule], terminal));
    });
  apiCommand(alerts, 'remove', 'removes a rule; its alerts are over')
    .argument('<rule>')
    .action(async (id: string, options: ApiOptions) => {
      await removeRule(connect(options, context), id);
      show({ removed: id }, options, context, () => `${id} removed`);
    });
}

function alertsText(alerts: readonly Alert[], terminal: Terminal): string {
  if (alerts.length === 0) return 'No alerts. `espalier alerts add` makes a rule that raises them.';
  const now = Date.now();
  return table(
    terminal,
    ['alert', 'rule', 'state', 'value', 'of', 'rests on', 'raised', 'seen by'],
    alerts.map((alert) => [
      ...[alert.id, alert.name, alert.state, valueText(alert.metric, alert.value)],
      ...[alert.variantId ?? 'the fleet', alert.restsOn ?? ''],
      ...[ago(alert.raisedAt, now), alert.acknowledgedBy ?? '-'],
    ]),
    { right: [3], wrap: { 5: 40 } },
  );
}

/** A value of a metric in its unit. */
function valueText(metric: string, value: number): string {
  switch (metric) {
    case 'accuracy':
    case 'agreement':
    case 'silence':
      return percent(value);
    case 'latency':
      return milliseconds(value);
    case 'memory':
      return `${value.toFixed(0)} MiB`;
    case 'drift':
      return `${short(value)} days`;
    default:
      return `${short(value)} an hour`;
  }
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

function rulesText(rules: readonly AlertRule[], terminal: Terminal): string {
  if (rules.length === 0) return 'No rules. `espalier alerts add` makes one.';
  return table(
    terminal,
    ['rule', 'name', 'metric', 'raise', 'clear', 'for', 'devices', 'does'],
    rules.map(({ id, name, metric, raise, clear, forSeconds, selector, actions }) => [
      ...[id, name, metric, valueText(metric, raise), valueText(metric, clear)],
      ...[duration(forSeconds), selector || 'all'],
      [
        ...(actions.webhook ? ['webhook'] : []),
        ...(actions.pauseRollouts ? ['pauses rollouts'] : []),
        ...(actions.planAgain ? ['plans again'] : []),
      ].join(', ') || 'tells',
    ]),
    { right: [3, 4] },
  );
}
