import type { DeviceView, Profile } from '@espalier/protocol';
import type { Command } from 'commander';
import {
  askToMeasure,
  createClaimToken,
  endQuarantine,
  getDevice,
  latestProfile,
  listDevices,
  patchDevice,
  revokeDevice,
  telemetryOf,
} from '../api/fleet.js';
import { CliError } from '../errors.js';
import { label, whole } from '../option-values.js';
import { budgetText } from '../output/budget.js';
import { ago, bytes, milliseconds, percent } from '../output/figures.js';
import { fields, table, type Terminal } from '../output/terminal.js';
import { addBudgetOptions, type BudgetOptions, changedBudget } from './budget-options.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

/** Devices: how they join, what they are and what they may spend. */
export function addDevices(program: Command, context: Context): void {
  const group = program.command('devices').description('the fleet and its budgets');
  const { terminal } = context;

  apiCommand(group, 'list', 'devices, their budgets and what they run')
    .option('--selector <key=value,...>', 'labels that a device must carry')
    .option('--state <state>', 'enrolled, ready, active, failed…')
    .option('--limit <N>', 'most devices to show', whole(1), 200)
    .action(async (options: ApiOptions & { selector?: string; state?: string; limit: number }) => {
      const devices = await listDevices(connect(options, context), options);
      const narrowed = options.selector !== undefined || options.state !== undefined;
      show(devices, options, context, () =>
        devices.length === 0 && narrowed
          ? 'No device matches; without --selector and --state all are listed.'
          : devicesText(devices, terminal),
      );
    });

  apiCommand(group, 'show', 'one device: budget, profile, what it runs and how')
    .argument('<device>')
    .action(async (id: string, options: ApiOptions) => {
      const api = connect(options, context);
      const device = await getDevice(api, id);
      const profile = await latestProfile(api, id);
      const [latest = null] = await telemetryOf(api, id, 1);
      show({ device, profile, telemetry: latest }, options, context, (answer) =>
        deviceText(answer, terminal),
      );
    });

  apiCommand(
    group,
    'profile',
    'the profile of a device, as one JSON document that `compress --device` takes',
  )
    .argument('<device>')
    .action(async (id: string, options: ApiOptions) => {
      terminal.json(await profileOf(id, options, context));
    });

  apiCommand(group, 'claim', 'a token with which one device may join')
    .option('--name <name>', 'name of the device')
    .option('--label <key=value>', 'label of the device; may be repeated', label)
    .option('--expires-in <seconds>', 'how long the token is good', whole(1), 3600)
    .action(
      async (
        options: ApiOptions & {
          name?: string;
          label?: Record<string, string>;
          expiresIn: number;
        },
      ) => {
        const { name, label: labels, expiresIn } = options;
        const answer = await createClaimToken(connect(options, context), {
          ...(name === undefined ? {} : { name }),
          ...(labels === undefined ? {} : { labels }),
          expiresInSeconds: expiresIn,
        });
        show(answer, options, context, ({ token, expires }) =>
          [
            token,
            '',
            `Good once, until ${expires}. On the device:`,
            `espalier-agent --server ${options.server} --token ${token} --state-dir /var/lib/espalier`,
          ].join('\n'),
        );
      },
    );

  apiCommand(group, 'edit', 'changes the name or the labels of a device')
    .argument('<device>')
    .option('--name <name>', 'its new name')
    .option('--label <key=value>', 'its labels from now on; may be repeated', label)
    .action(
      async (
        id: string,
        options: ApiOptions & { name?: string; label?: Record<string, string> },
      ) => {
        const { name, label: labels } = options;
        if (name === undefined && labels === undefined) {
          throw new CliError('CLI_USAGE', 'Give --name, --label, or both.');
        }
        const device = await patchDevice(connect(options, context), id, {
          ...(name === undefined ? {} : { name }),
          ...(labels === undefined ? {} : { labels }),
        });
        show(device, options, context, () => devicesText([device], terminal));
      },
    );

  addBudget(group, context);

  apiCommand(group, 'end-quarantine', 'lets rollouts take a device again that failed too often')
    .argument('<device>')
    .action(async (id: string, options: ApiOptions) => {
      const device = await endQuarantine(connect(options, context), id);
      show(device, options, context, () => devicesText([device], terminal));
    });

  apiCommand(group, 'revoke', 'puts a device out for good: cut off, its certificates void')
    .argument('<device>')
    .action(async (id: string, options: ApiOptions) => {
      const answer = await revokeDevice(connect(options, context), id);
      show(answer, options, context, () => `${id} is out since ${answer.revokedAt}.`);
    });

  apiCommand(group, 'measure', 'asks a device to measure itself again')
    .argument('<device>')
    .action(async (id: string, options: ApiOptions) => {
      const answer = await askToMeasure(connect(options, context), id);
      show(answer, options, context, () => `${id} was asked; its profile arrives when it is done.`);
    });
}

function addBudget(group: Command, context: Context): void {
  addBudgetOptions(
    apiCommand(group, 'budget', 'what a device may spend: shows it, or changes the limits given'),
  )
    .argument('<device>')
    .action(async (id: string, options: BudgetOptions) => {
      const api = connect(options, context);
      const before = (await getDevice(api, id)).budget;
      const budget = changedBudget(before, options);
      const changed = JSON.stringify(budget) !== JSON.stringify(before);
      const after = changed ? (await patchDevice(api, id, { budget })).budget : before;
      show(after, options, context, () => `${id}: ${budgetText(after)}`);
    });
}

async function profileOf(id: string, options: ApiOptions, context: Context): Promise<Profile> {
  const profile = await latestProfile(connect(options, context), id);
  if (profile) return profile;
  throw new CliError('CLI_PROFILE', `${id} has not measured itself yet.`);
}

function devicesText(devices: readonly DeviceView[], terminal: Terminal): string {
  if (devices.length === 0) {
    return 'No devices. `espalier devices claim` makes a token with which one joins.';
  }
  const now = Date.now();
  return table(
    terminal,
    ['device', 'name', 'state', 'budget', 'runs', 'seen'],
    devices.map((device) => [
      device.id,
      device.name,
      device.failure && device.state === 'failed'
        ? `${device.state}: ${device.failure.code}`
        : device.state,
      budgetText(device.budget),
      device.running?.variantId ?? '-',
      ago(device.seenAt, now),
    ]),
    { wrap: { 3: 34 } },
  );
}

function deviceText(
  {
    device,
    profile,
    telemetry,
  }: {
    device: DeviceView;
    profile: Profile | null;
    telemetry: Awaited<ReturnType<typeof telemetryOf>>[number] | null;
  },
  terminal: Terminal,
): string {
  const labels = Object.entries(device.labels).map(([key, value]) => `${key}=${value}`);
  const rows: [string, string][] = [
    ['device', `${device.id} (${device.name})`],
    ['labels', labels.join(', ') || 'none'],
    ['state', stateText(device)],
    ['budget', budgetText(device.budget)],
    ['seen', ago(device.seenAt, Date.now())],
  ];
  if (device.failure) rows.push(['failure', `${device.failure.code}: ${device.failure.message}`]);
  if (device.running) {
    rows.push(['runs', `${device.running.variantId} of ${device.running.releaseId}`]);
    rows.push(['loaded sha256', device.running.modelSha256]);
  }
  if (profile) rows.push(...profileRows(profile));
  if (telemetry) {
    const { latencyMs, accuracy, memory } = telemetry;
    if (latencyMs) {
      rows.push([
        'latency',
        `median ${milliseconds(latencyMs.p50)}, 95 % within ${milliseconds(latencyMs.p95)}`,
      ]);
    }
    if (accuracy) {
      const right = accuracy.correct / Math.max(accuracy.labelled, 1);
      rows.push(['accuracy', `${percent(right)} of ${accuracy.labelled} labelled samples`]);
    }
    rows.push(['memory', `${bytes(memory.rssBytes)}, ${bytes(memory.modelBytes)} for the model`]);
  }
  return fields(terminal, rows);
}

function stateText({ state, quarantinedAt, revokedAt }: DeviceView): string {
  if (revokedAt !== null) return `${state}, revoked`;
  return quarantinedAt === null ? state : `${state}, in quarantine`;
}

function profileRows({ cpu, memory, storage, emulatedSlowdown, measuredAt }: Profile) {
  const rows: [string, string][] = [
    ['processor', `${cpu.model}, ${cpu.arch}, ${cpu.cores} cores, ${cpu.isa.join(' ')}`],
    ['RAM limit', `${bytes(memory.limitBytes)} (${memory.limitedBy})`],
    ['storage limit', `${bytes(storage.limitBytes)} (${storage.limitedBy})`],
    ['measured', measuredAt],
  ];
  if (emulatedSlowdown !== null) {
    rows.push(['emulated', `a processor ${emulatedSlowdown} times slower`]);
  }
  return rows;
}
