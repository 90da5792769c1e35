import type { Command } from 'commander';
import { createPlan, getPlan, type Assignment, type Plan } from '../api/releases.js';
import { CliError } from '../errors.js';
import { EXIT } from '../exit.js';
import { milliseconds } from '../output/figures.js';
import { table, type Terminal } from '../output/terminal.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

export function addPlan(program: Command, context: Context): void {
  apiCommand(program, 'plan', 'which variant each device would get, and why')
    .argument('[model]', 'the model to plan with')
    .option('--selector <key=value,...>', 'labels that a device must carry')
    .option('--show <plan>', 'show a plan that was made before')
    .action(
      async (
        modelId: string | undefined,
        options: ApiOptions & { selector?: string; show?: string },
      ) => {
        const api = connect(options, context);
        const { selector, show: former } = options;
        if ((modelId === undefined) === (former === undefined)) {
          throw new CliError('CLI_USAGE', 'Give a model to plan with, or --show PLAN.');
        }
        const plan = former
          ? await getPlan(api, former)
          : await createPlan(api, { modelId: modelId ?? '', ...(selector && { selector }) });
        show(plan, options, context, () => planText(plan, context.terminal));
        if (plan.assignments.some(({ candidateId }) => candidateId === null)) {
          context.exitWith(EXIT.goalMissed);
        }
      },
    );
}

/** A plan as people read it: each device's variant, and what speaks for it. */
export function planText(plan: Plan, terminal: Pick<Terminal, 'colors'>): string {
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

function whyText({ reasons, wouldFit }: Assignment): string {
  return [...reasons, ...(wouldFit ? [wouldFit.text] : [])].join('; ');
}
