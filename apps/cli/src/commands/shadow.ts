import type { AgreementView, ShadowPolicyView } from '@espalier/protocol';
import { Option, type Command } from 'commander';
import { agreement, shadowPolicy, startShadow, stopShadow } from '../api/shadow.js';
import { positive, share, whole } from '../option-values.js';
import { percent } from '../output/figures.js';
import { table, type Terminal } from '../output/terminal.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * 1024;

interface StartOptions extends ApiOptions {
  readonly selector?: string;
  readonly share?: number;
  readonly perHour?: number;
  readonly sampleKib?: number;
  readonly dayMib?: number;
}

interface AgreementOptions extends ApiOptions {
  readonly by: string;
  readonly hours: number;
  readonly model?: string;
  readonly release?: string;
  readonly variant?: string;
  readonly device?: string;
}

/** Shadow samples: a few inputs of devices that allow it, judged by the dense model on the server. */
export function addShadow(program: Command, context: Context): void {
  const { terminal } = context;
  const shadow = program
    .command('shadow')
    .description('a few inputs of devices that allow it, judged by the uncompressed model');
  apiCommand(shadow, 'start', 'asks devices for inputs; those that do not allow it send none')
    .argument('<model>')
    .option('--selector <key=value,...>', 'labels of the devices; by default all')
    .option('--share <share>', 'share of the inputs, from 0 to 1; by default 0.01', share)
    .option('--per-hour <count>', 'most of a device in an hour; by default 60', whole(1))
    .option('--sample-kib <kib>', 'largest packed input; by default 184', positive)
    .option('--day-mib <mib>', 'most of a device in 24 hours; by default 16', positive)
    .action(async (modelId: string, options: StartOptions) => {
      const { selector, perHour, sampleKib, dayMib } = options;
      const answer = await startShadow(connect(options, context), modelId, {
        ...(selector === undefined ? {} : { selector }),
        ...(options.share === undefined ? {} : { share: options.share }),
        ...(perHour === undefined ? {} : { perHour }),
        ...(sampleKib === undefined ? {} : { bytesPerSample: Math.floor(sampleKib * KIBIBYTE) }),
        ...(dayMib === undefined ? {} : { bytesPerDay: Math.floor(dayMib * MEBIBYTE) }),
      });
      show(answer, options, context, policyText);
    });
  apiCommand(shadow, 'stop', 'asks for no more; devices forget those that wait')
    .argument('<model>')
    .action(async (modelId: string, options: ApiOptions) => {
      await stopShadow(connect(options, context), modelId);
      show({ stopped: modelId }, options, context, () => `no shadow samples of ${modelId}`);
    });
  apiCommand(shadow, 'show', 'what is asked for of a model')
    .argument('<model>')
    .action(async (modelId: string, options: ApiOptions) => {
      show(await shadowPolicy(connect(options, context), modelId), options, context, policyText);
    });
  apiCommand(shadow, 'agreement', 'how often the models of devices and the dense one agree')
    .addOption(
      new Option('--by <what>', 'a line for each')
        .choices(['all', 'model', 'release', 'variant', 'device'])
        .default('variant'),
    )
    .option('--hours <hours>', 'over how long, until now', whole(1), 24)
    .option('--model <model>', 'only of this model')
    .option('--release <release>', 'only of this release')
    .option('--variant <variant>', 'only of this variant')
    .option('--device <device>', 'only of this device')
    .action(async (options: AgreementOptions) => {
      const { by, hours, model, release, variant, device } = options;
      const from = new Date(Date.now() - hours * 3_600_000).toISOString();
      const query = new URLSearchParams({
        ...{ by, from },
        ...(model === undefined ? {} : { modelId: model }),
        ...(release === undefined ? {} : { releaseId: release }),
        ...(variant === undefined ? {} : { variantId: variant }),
        ...(device === undefined ? {} : { deviceId: device }),
      });
      const answer = await agreement(connect(options, context), query);
      show(answer, options, context, () => agreementText(answer, by, terminal));
    });
}

function policyText({ modelId, policy, waiting }: ShadowPolicyView): string {
  if (!policy) return `no shadow samples of ${modelId}`;
  const { share: part, perHour, bytesPerSample, bytesPerDay } = policy.sampling;
  const whose = policy.selector === '' ? 'every device' : `devices with ${policy.selector}`;
  return [
    `${whose} that allows it: ${part * 100} % of the inputs, at most ${perHour} an hour`,
    `an input takes at most ${Math.floor(bytesPerSample / KIBIBYTE)} KiB, a day ${Number((bytesPerDay / MEBIBYTE).toPrecision(3))} MiB`,
    `${waiting} wait to be judged`,
  ].join('\n');
}

function agreementText({ series }: AgreementView, by: string, terminal: Terminal): string {
  if (series.length === 0) return 'no shadow samples';
  return table(
    terminal,
    [by, 'devices', 'judged', 'agreement', 'distance', 'not judged', 'not sent'],
    series.map(({ key, total }) => {
      const { agreement: same, distance } = total;
      return [
        ...[key, String(total.devices), String(total.judged)],
        same
          ? `${percent(same.value)} (${same.interval.map((end) => percent(end)).join(' to ')})`
          : '-',
        distance ? `${short(distance.mean)} (${distance.interval.map(short).join(' to ')})` : '-',
        String(total.failed + total.refused),
        String(total.tooLarge + total.overBudget + total.dropped),
      ];
    }),
    { right: [1, 2, 5, 6] },
  );
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
