import type { Command } from 'commander';
import {
  createPolicy,
  decideProposal,
  groupBudgets,
  type GroupBudgets,
  listPolicies,
  listProposals,
  type Policy,
  type Proposal,
  putGroupBudget,
  removePolicy,
} from '../api/tuning.js';
import { listOf, number, share, whole } from '../option-values.js';
import { budgetText } from '../output/budget.js';
import { table, type Terminal } from '../output/terminal.js';
import { addBudgetOptions, type BudgetOptions, changedBudget } from './budget-options.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

interface PolicyOptions extends ApiOptions {
  readonly selector: string;
  readonly push?: boolean;
  readonly stages: number[];
  readonly soak: number;
  readonly deadline: number;
  readonly maxFailed: number;
}

/** Budgets of groups, policies that keep a release fitting, and what these propose. */
export function addTuning(program: Command, context: Context): void {
  const { terminal } = context;
  const budget = apiCommand(
    program,
    'budgets',
    'what the fleet, or devices with labels, may spend',
  );
  addBudgetOptions(
    budget.option('--selector <key=value,...>', 'labels of the devices; none: all', ''),
  );
  budget.action(async (options: BudgetOptions & { selector: string }) => {
    const api = connect(options, context);
    const { selector } = options;
    const present = await groupBudgets(api);
    const before = present.budgets.find((one) => one.selector === selector)?.budget ?? {};
    const after = changedBudget(before, options);
    const changed = JSON.stringify(after) !== JSON.stringify(before);
    const answer = changed ? await putGroupBudget(api, { selector, budget: after }) : present;
    show(answer, options, context, () => budgetsText(answer, terminal));
  });

  const policies = program.command('policies').description('releases that are kept fitting');
  apiCommand(policies, 'create', 'keeps a signed release fitting to devices, also to come')
    .argument('<release>')
    .option('--selector <key=value,...>', 'labels that a device must carry', '')
    .option('--push', 'roll out what it finds without anyone asking')
    .option('--stages <percents>', 'stages of its rollouts', listOf(number), [100])
    .option('--soak <seconds>', 'how long each stage is watched', number, 60)
    .option('--deadline <seconds>', 'time that one device has', whole(1), 3600)
    .option('--max-failed <share>', 'largest share of failed devices', share, 0.1)
    .action(async (releaseId: string, options: PolicyOptions) => {
      const { selector, push = false, stages, soak, deadline, maxFailed } = options;
      const policy = await createPolicy(connect(options, context), {
        ...{ releaseId, selector, push },
        rollout: {
          stages: stages.map((percent) => ({ percent })),
          gate: { maxFailedShare: maxFailed, minSample: 1 },
          ...{ soakSeconds: soak, deviceDeadlineSeconds: deadline },
        },
      });
      show(policy, options, context, () => policiesText([policy], terminal));
    });
  apiCommand(policies, 'list', 'policies, and whether they push by themselves').action(
    async (options: ApiOptions) => {
      const answer = await listPolicies(connect(options, context));
      show(answer, options, context, () => policiesText(answer.policies, terminal));
    },
  );
  apiCommand(policies, 'remove', 'ends a policy; what it rolled out stays')
    .argument('<policy>')
    .action(async (id: string, options: ApiOptions) => {
      await removePolicy(connect(options, context), id);
      show({ removed: id }, options, context, () => `${id} removed`);
    });

  const proposals = program.command('proposals').description('what policies found');
  apiCommand(proposals, 'list', 'proposals, the newest first').action(
    async (options: ApiOptions) => {
      const answer = await listProposals(connect(options, context));
      show(answer, options, context, () => proposalsText(answer.proposals, terminal));
    },
  );
  for (const decision of ['push', 'dismiss'] as const) {
    const what = decision === 'push' ? 'rolls a proposal out' : 'leaves a proposal be';
    apiCommand(proposals, decision, what)
      .argument('<proposal>')
      .action(async (id: string, options: ApiOptions) => {
        const proposal = await decideProposal(connect(options, context), id, decision);
        show(proposal, options, context, () => proposalsText([proposal], terminal));
      });
  }
}

function budgetsText({ budgets }: GroupBudgets, terminal: Terminal): string {
  if (budgets.length === 0) return 'No budgets but those of single devices.';
  return table(
    terminal,
    ['devices', 'may spend'],
    budgets.map(({ selector, budget }) => [selector || 'all', budgetText(budget)]),
  );
}

function policiesText(policies: readonly Policy[], terminal: Terminal): string {
  if (policies.length === 0) return 'No policies. `espalier policies create` makes one.';
  return table(
    terminal,
    ['policy', 'release', 'devices', 'pushes'],
    policies.map(({ id, releaseId, selector, push }) => [
      ...[id, releaseId, selector || 'all'],
      push ? 'by itself' : 'when told',
    ]),
  );
}

function proposalsText(proposals: readonly Proposal[], terminal: Terminal): string {
  if (proposals.length === 0) return 'No proposals.';
  return table(
    terminal,
    ['proposal', 'state', 'device', 'from', 'to', 'why'],
    proposals.flatMap(({ id, state, note, causes }) =>
      causes.map(({ deviceId, from, to, why }) => [
        ...[id, state, deviceId, from ?? '-', to ?? 'none fits'],
        note === null ? why : `${why} (${note})`,
      ]),
    ),
    { wrap: { 5: 48 } },
  );
}
