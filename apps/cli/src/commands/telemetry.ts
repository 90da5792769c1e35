import type { DriftView, SeriesView } from '@espalier/protocol';
import { Option, type Command } from 'commander';
import { deviceSeries, driftOf, telemetrySeries } from '../api/telemetry.js';
import { CliError } from '../errors.js';
import { whole } from '../option-values.js';
import { bytes, count, milliseconds, percent } from '../output/figures.js';
import { table, type Terminal } from '../output/terminal.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

interface Filter extends ApiOptions {
  readonly model?: string;
  readonly release?: string;
  readonly variant?: string;
  readonly selector?: string;
  readonly device?: string;
}

/** What devices measure while they serve. */
export function addTelemetry(program: Command, context: Context): void {
  const { terminal } = context;
  const group = program.command('telemetry').description('what devices measure while they serve');
  filtered(apiCommand(group, 'show', 'accuracy, latency and memory, summed over devices and time'))
    .addOption(
      new Option('--by <what>', 'a line for each; of one device always each variant')
        .choices(['all', 'model', 'release', 'variant', 'class', 'labels'])
        .default('variant'),
    )
    .option('--hours <hours>', 'over how long, until now', whole(1), 24)
    .action(async (options: Filter & { by: string; hours: number }) => {
      const { by, hours, device } = options;
      const from = new Date(Date.now() - hours * 3_600_000).toISOString();
      const api = connect(options, context);
      if (device !== undefined) refuseOthers(options);
      const answer =
        device === undefined
          ? await telemetrySeries(api, queryOf(options, { by, from }))
          : await deviceSeries(api, device, new URLSearchParams({ from }));
      show(answer, options, context, () =>
        seriesText(answer, device === undefined ? by : 'variant', terminal),
      );
    });
  filtered(
    apiCommand(group, 'drift', 'whether inputs and answers are other ones than in the reports'),
  ).action(async (options: Filter) => {
    const { device } = options;
    const query = queryOf(options, device === undefined ? {} : { deviceId: device });
    const answer = await driftOf(connect(options, context), query);
    show(answer, options, context, () => driftText(answer, terminal));
  });
}

const filtered = (command: Command): Command =>
  command
    .option('--model <name>', 'only of this model')
    .option('--release <release>', 'only of this release')
    .option('--variant <variant>', 'only of this variant')
    .option('--selector <key=value,...>', 'only of devices with these labels')
    .option('--device <device>', 'only of this device');

function refuseOthers({ model, release, variant, selector }: Filter): void {
  if ([model, release, variant, selector].every((one) => one === undefined)) return;
  throw new CliError(
    'CLI_USAGE',
    '--device goes without --model, --release, --variant, --selector.',
  );
}

const queryOf = (
  { model, release, variant, selector }: Filter,
  besides: Readonly<Record<string, string>>,
): URLSearchParams =>
  new URLSearchParams({
    ...besides,
    ...(model === undefined ? {} : { model }),
    ...(release === undefined ? {} : { releaseId: release }),
    ...(variant === undefined ? {} : { variantId: variant }),
    ...(selector === undefined ? {} : { selector }),
  });

function seriesText({ series }: SeriesView, by: string, terminal: Terminal): string {
  if (series.length === 0) return 'Nothing was measured in this time.';
  return table(
    terminal,
    [by, 'inferences', 'errors', 'accuracy', 'estimated', 'median', 'p95', 'memory', 'restarts'],
    series.map(({ key, total }) => {
      const { accuracy, accuracyEstimate, latencyMs } = total;
      return [
        ...[key, count(total.inferences), count(total.errors)],
        accuracy ? `${percent(accuracy.value)} of ${count(accuracy.labelled)}` : 'no labels',
        accuracyEstimate ? percent(accuracyEstimate.value) : '-',
        latencyMs ? milliseconds(latencyMs.p50 ?? latencyMs.mean) : '-',
        latencyMs ? milliseconds(latencyMs.p95 ?? latencyMs.max) : '-',
        ...[bytes(total.memory.rssMaxBytes), count(total.restarts)],
      ];
    }),
    { right: [1, 2, 3, 4, 5, 6, 7, 8] },
  );
}

function driftText({ variants }: DriftView, terminal: Terminal): string {
  if (variants.length === 0) return 'No device was watched for drift in the last hour.';
  return table(
    terminal,
    ['release', 'variant', 'devices', 'by chance once in', 'rests on', 'held against', 'index'],
    variants.map(({ releaseId, variantId, devices, days, restsOn, reference, stabilityIndex }) => [
      ...[releaseId, variantId, String(devices), `${Number(days.toPrecision(3))} days`, restsOn],
      reference ? `${reference.source} data` : '-',
      stabilityIndex?.toFixed(2) ?? '-',
    ]),
    { right: [2, 3, 6], wrap: { 4: 40 } },
  );
}
