import { setTimeout } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import type { ApiClient } from '../api/client.js';
import { getRelease } from '../api/releases.js';
import {
  createRollout,
  decisionsOf,
  getRollout,
  hasEnded,
  listRollouts,
  orderRollout,
  previewRollout,
  replayOf,
  type Order,
  type Rollout,
  type RolloutSummary,
} from '../api/rollouts.js';
import { EXIT } from '../exit.js';
import { decisionsText, gateEvidence } from '../output/decisions.js';
import { ago, bytes, some } from '../output/figures.js';
import { previewText } from '../output/rollout-preview.js';
import { showRollout } from '../output/rollout-progress.js';
import { table, type Terminal } from '../output/terminal.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';
import { requestOf, withRolloutOptions, type RequestOptions } from './rollout-request.js';

const WATCH_MS = 500;

interface OrderOptions extends ApiOptions {
  readonly why: string;
  readonly watch?: boolean;
  readonly promote?: boolean;
  readonly mode?: 'keep' | 'revert';
}

/** Rollouts: written, ordered and watched. */
export function addRollouts(program: Command, context: Context): void {
  const group = program.command('rollouts').description('staged rollouts');
  const { terminal } = context;

  const create = apiCommand(group, 'create', 'plans a rollout; nothing is sent before its start')
    .argument('<release>')
    .argument('<plan>')
    .action(async (releaseId: string, planId: string, options: RequestOptions) => {
      const request = await requestOf(releaseId, planId, options);
      const rollout = await createRollout(connect(options, context), request);
      show(rollout, options, context, () => rolloutText(rollout, terminal));
    });
  withRolloutOptions(create);

  const preview = apiCommand(group, 'preview', 'what a rollout would do; nothing is written')
    .argument('<release>')
    .argument('<plan>')
    .action(async (releaseId: string, planId: string, options: RequestOptions) => {
      const request = await requestOf(releaseId, planId, options);
      const answer = await previewRollout(connect(options, context), request);
      show(answer, options, context, (shown) => previewText(shown, terminal));
    });
  withRolloutOptions(preview);

  order(group, context, 'start', 'opens the first stage');
  order(group, context, 'approve', 'opens the stage that asks for it; --why is needed');
  order(group, context, 'pause', 'opens no stage and begins no device until it is resumed');
  order(group, context, 'resume', 'lets a paused or held rollout go on').option(
    '--promote',
    'open the next stage of a held rollout although its gate did not pass',
  );
  order(group, context, 'abort', 'ends it now').addOption(
    new Option('--mode <mode>', 'what becomes of devices that are updated already')
      .choices(['keep', 'revert'])
      .default('keep'),
  );

  apiCommand(group, 'list', 'rollouts, the newest first').action(async (options: ApiOptions) => {
    const answer = await listRollouts(connect(options, context));
    show(answer, options, context, ({ rollouts }) => rolloutsText(rollouts, terminal));
  });

  apiCommand(
    group,
    'show',
    'one rollout: its stages, its gates with their evidence, and each device',
  )
    .argument('<rollout>')
    .action(async (id: string, options: ApiOptions) => {
      const rollout = await getRollout(connect(options, context), id);
      show(rollout, options, context, () => rolloutText(rollout, terminal));
    });

  apiCommand(
    group,
    'decisions',
    'every decision so far: from which state to which, why, and on what evidence',
  )
    .argument('<rollout>')
    .action(async (id: string, options: ApiOptions) => {
      const answer = await decisionsOf(connect(options, context), id);
      show(answer, options, context, ({ decisions }) => decisionsText(decisions, terminal));
    });

  apiCommand(group, 'replay', 'plays the log again; exit code 1 unless the same decisions follow')
    .argument('<rollout>')
    .action(async (id: string, options: ApiOptions) => {
      const answer = await replayOf(connect(options, context), id);
      show(answer, options, context, ({ events, decisions, identical }) => {
        const how = identical ? 'the same' : 'other';
        return `${events} events lead to ${how} decisions as the ${decisions} in the log`;
      });
      if (!answer.identical) context.exitWith(EXIT.goalMissed);
    });

  apiCommand(group, 'watch', 'follows a rollout until it ends; exit code 1 unless it completed')
    .argument('<rollout>')
    .action(async (id: string, options: ApiOptions) => {
      await watch(await getRollout(connect(options, context), id), options, context);
    });
}

/** Shows a rollout live until it ends, and then as it stands. */
async function watch(first: Rollout, options: ApiOptions, context: Context): Promise<void> {
  const api = connect(options, context);
  const { terminal, signal } = context;
  const bars = showRollout(terminal.progress, await artifactSizes(api, first));
  let rollout = first;
  try {
    bars.update(rollout);
    while (!hasEnded(rollout)) {
      await setTimeout(WATCH_MS, undefined, { signal });
      rollout = await getRollout(api, rollout.id);
      bars.update(rollout);
    }
  } finally {
    bars.stop();
  }
  show(rollout, options, context, () => rolloutText(rollout, terminal));
  if (rollout.status !== 'completed') context.exitWith(EXIT.goalMissed);
}

function order(group: Command, context: Context, name: Order, description: string): Command {
  return apiCommand(group, name, description)
    .argument('<rollout>')
    .option('--why <text>', 'reason, kept in the log of decisions', '')
    .option('--watch', 'then follow it until it ends; exit code 1 unless it completed')
    .action(async (id: string, options: OrderOptions) => {
      const { why, promote, mode } = options;
      const rollout = await orderRollout(connect(options, context), id, name, {
        why,
        ...(promote && { promote }),
        ...(mode && { mode }),
      });
      if (options.watch) await watch(rollout, options, context);
      else show(rollout, options, context, () => rolloutText(rollout, context.terminal));
    });
}

/** Bytes to send of each variant. */
async function artifactSizes(
  api: ApiClient,
  { releaseId }: Rollout,
): Promise<ReadonlyMap<string, number>> {
  const { document } = await getRelease(api, releaseId);
  return new Map(document.variants.map(({ id, artifact }) => [id, artifact.length]));
}

function rolloutsText(rollouts: readonly RolloutSummary[], terminal: Terminal): string {
  if (rollouts.length === 0) return 'No rollouts. `espalier rollouts create` plans one.';
  const now = Date.now();
  return table(
    terminal,
    ['rollout', 'model', 'release', 'status', 'made', 'changed'],
    rollouts.map(({ id, model, version, releaseId, status, createdAt, updatedAt }) => [
      ...[id, `${model} v${version}`, releaseId, status],
      ...[ago(createdAt, now), ago(updatedAt, now)],
    ]),
  );
}

const DEVICES_SHOWN = 50;

function rolloutText(rollout: Rollout, terminal: Terminal): string {
  const stages = table(
    terminal,
    ['stage', 'up to', 'devices', 'where they stand'],
    rollout.stages.map(({ name, devices, counts }, at) => [
      `${at + 1}${at === rollout.stage ? ' open' : ''}`,
      name,
      String(devices),
      Object.entries(counts)
        .filter(([, some]) => some > 0)
        .map(([status, some]) => `${some} ${status}`)
        .join(', '),
    ]),
    { right: [1, 2] },
  );
  const gates = table(
    terminal,
    ['gate', 'of', 'verdict', 'evidence'],
    rollout.gates.map(({ rule, variantId, verdict, numbers }) => [
      ...[rule, variantId ?? 'the stage', verdict === 'wait' ? 'watching' : verdict],
      gateEvidence(rule, numbers),
    ]),
    { wrap: { 3: 60 } },
  );
  const devices = table(
    terminal,
    ['device', 'variant', 'stage', 'status', 'sent', 'failure'],
    rollout.devices
      .slice(0, DEVICES_SHOWN)
      .map(({ deviceId, variantId, stage, status, sentBytes, failure }) => [
        deviceId,
        variantId,
        String(stage + 1),
        status,
        bytes(sentBytes),
        failure ? `${failure.code}: ${failure.message}` : '',
      ]),
    { right: [2, 4], wrap: { 5: 44 } },
  );
  const more = rollout.devices.length - DEVICES_SHOWN;
  return [
    `rollout ${rollout.id} of ${rollout.releaseId}: ${rollout.status}, ${bytes(rollout.bytesSent)} sent`,
    stages,
    ...(rollout.gates.length > 0 ? [gates] : []),
    devices,
    ...(more > 0 ? [`and ${some(more, 'device')} more; --json names all`] : []),
  ].join('\n');
}
