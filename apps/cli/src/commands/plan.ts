import type { Assignment, PlanOption, PlanPreview, PlanView } from '@espalier/protocol';
import type { Command } from 'commander';
import { createPlan, getPlan } from '../api/releases.js';
import { previewPlan } from '../api/tuning.js';
import { CliError } from '../errors.js';
import { EXIT } from '../exit.js';
import { budgetText } from '../output/budget.js';
import { bytes, milliseconds, percent, some } from '../output/figures.js';
import { table, type Terminal } from '../output/terminal.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

interface PlanOptions extends ApiOptions {
  readonly model?: string;
  readonly selector?: string;
  readonly save?: boolean;
  readonly show?: string;
}

/** Which candidate each device would get, and why. */
export function addPlan(program: Command, context: Context): void {
  apiCommand(program, 'plan', 'which variant each device would get, and why; stores nothing')
    .option('--model <model>', 'the model to plan with')
    .option('--selector <key=value,...>', 'labels that a device must carry')
    .option('--save', 'store the plan, for a release and a rollout')
    .option('--show <plan>', 'show a plan that was stored before')
    .action(async (options: PlanOptions) => {
      const { model: modelId, selector, save, show: former } = options;
      if ((modelId === undefined) === (former === undefined)) {
        throw new CliError('CLI_USAGE', 'Give a model to plan with, or --show PLAN.');
      }
      const api = connect(options, context);
      const request = { modelId: modelId ?? '', ...(selector && { selector }) };
      const { terminal } = context;
      let assignments: readonly Assignment[];
      if (former !== undefined || save) {
        const plan = former ? await getPlan(api, former) : await createPlan(api, request);
        show(plan, options, context, () => planText(plan, terminal));
        assignments = plan.assignments;
      } else {
        const preview = await previewPlan(api, request);
        show(preview, options, context, () => previewText(preview, terminal));
        assignments = preview.assignments;
      }
      if (assignments.some(({ candidateId }) => candidateId === null)) {
        context.exitWith(EXIT.goalMissed);
      }
    });
}

/** A plan as people read it: each device's variant, and what speaks for it. */
export function planText(plan: PlanView, terminal: Pick<Terminal, 'colors'>): string {
  const rows = plan.assignments.map((assignment) => [
    assignment.deviceId,
    assignment.candidateId ?? 'none fits',
    assignment.predictedLatencyMs === null ? '-' : milliseconds(assignment.predictedLatencyMs),
    whyText(assignment),
  ]);
  const drawn = table(terminal, ['device', 'variant', 'predicted', 'why'], rows, {
    right: [2],
    wrap: { 3: 64 },
  });
  return `plan ${plan.id}\n${drawn}`;
}

/** Every candidate on every device: what it costs there, what excludes it, which one is chosen. */
export function previewText(preview: PlanPreview, terminal: Pick<Terminal, 'colors'>): string {
  const devices = preview.assignments.map((assignment) => {
    const { deviceId, budget, candidateId, options } = assignment;
    const title = `${terminal.colors.bold(deviceId)}  ${budgetText(budget)}`;
    const rows = options.map((option) => optionRow(option, candidateId));
    const drawn =
      rows.length === 0
        ? []
        : [table(terminal, HEAD, rows, { right: [2, 3, 4, 5, 6], wrap: { 7: 48 } })];
    return [title, ...drawn, `${candidateId ?? 'none fits'}: ${whyText(assignment)}`].join('\n');
  });
  const more = preview.more > 0 ? [`and ${some(preview.more, 'more device')}`] : [];
  return [...devices, ...more, 'Nothing was stored; --save stores the plan.'].join('\n\n');
}

const HEAD = [
  '',
  'variant',
  'accuracy',
  'latency',
  'up to',
  'memory',
  'sent',
  'excluded because it',
];

function optionRow(option: PlanOption, chosen: string | null): string[] {
  const { candidateId, accuracy, latencyMs, ramBytes, transferBytes, excludedBy } = option;
  return [
    candidateId === chosen ? '→' : '',
    candidateId,
    accuracy === null ? '-' : percent(accuracy),
    milliseconds(latencyMs.predicted),
    milliseconds(latencyMs.high),
    bytes(ramBytes),
    bytes(transferBytes),
    excludedBy ?? '',
  ];
}

function whyText({ reasons, wouldFit }: Assignment): string {
  return [...reasons, ...(wouldFit ? [wouldFit.text] : [])].join('; ');
}
