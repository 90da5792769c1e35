import type { DeviceView } from '@espalier/protocol';
import type { Candidate } from '../api/models.js';
import { bytes, milliseconds, percent } from '../output/figures.js';
import { table, type Terminal } from '../output/terminal.js';
import type { DemoDevice } from './fleet.js';
import type { Measured } from './measured.js';
import { channelShare, widthsKey, widthsOf } from './widths.js';

/** Everything that is known of one device at the end. */
export interface Row {
  readonly made: DemoDevice;
  readonly device: DeviceView;
  readonly limit: string;
  readonly candidate: Candidate;
  readonly predictedMs: number;
  readonly sentBytes: number;
  readonly measured: Measured;
  /** Of the trained model, on the samples that the device served. */
  readonly accuracyBefore: number;
}

/** The demo's end: what each device got, what it cost, and what it measured. */
export function resultText(rows: readonly Row[], terminal: Pick<Terminal, 'colors'>): string {
  const { colors } = terminal;
  const drawn = table(
    terminal,
    [
      'device',
      'limit',
      'channels',
      'MACs',
      'type',
      'sent',
      'predicted',
      'measured',
      'accuracy',
    ].concat('state', 'loaded'),
    rows.map(({ made, device, limit, candidate, predictedMs, sentBytes, measured, ...row }) => {
      const { report } = candidate;
      const after = measured.correct / measured.labelled;
      return [
        made.slowdown === undefined ? made.name : `${made.name} *`,
        limit,
        percent(channelShare(report), 0),
        percent(report.variant.macs / report.model.macs, 0),
        report.variant.precision,
        bytes(sentBytes),
        milliseconds(predictedMs),
        milliseconds(measured.p50),
        `${percent(row.accuracyBefore)} > ${percent(after)}`,
        device.state === 'active' ? colors.green(device.state) : colors.red(device.state),
        device.running?.modelSha256.slice(0, 12) ?? 'nothing',
      ];
    }),
    { right: [2, 3, 5, 6, 7], wrap: { 1: 20 } },
  );
  const slow = rows.filter(({ made }) => made.slowdown !== undefined);
  const over = rows.filter(
    ({ device, measured }) => measured.p50 > (device.budget.latencyP95Ms ?? Infinity),
  );
  const samples = rows.map(({ measured }) => measured.labelled);
  return [
    drawn,
    ...slow.map(
      ({ made }) =>
        `* ${made.name}: a processor ${made.slowdown} times slower is emulated; its times are of the emulation.`,
    ),
    ...over.map(
      ({ made, measured }) =>
        `${made.name} took ${milliseconds(measured.p50)}, more than its limit: it was planned by the prediction, and shared this machine.`,
    ),
    'channels and MACs: share of the trained model that is kept. predicted: by the server, from the times of the device’s own kernels,',
    'one inference after another on an undisturbed processor. measured: median on the device, while all of them share this machine.',
    `accuracy: trained model > variant, on the same labelled samples that the device served, ${Math.min(...samples)} or more.`,
  ].join('\n');
}

/** Which bytes each device's session was made from, and the widths of that variant. */
export function loadedText(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ made }) => made.name.length));
  return rows
    .map(({ made, device, candidate }) =>
      [
        `${made.name.padEnd(width)} loaded sha256 ${device.running?.modelSha256 ?? 'nothing'}`,
        `${''.padEnd(width)} ${candidate.id}, channels ${widthsOf(candidate.report).join(' ')}`,
      ].join('\n'),
    )
    .join('\n');
}

/** One device before and after its limit was lifted. */
export function liftText(before: Row, after: Row, terminal: Pick<Terminal, 'colors'>): string {
  const line = (when: string, { limit, candidate, predictedMs, measured, device }: Row) => [
    when,
    limit,
    candidate.id,
    percent(channelShare(candidate.report), 0),
    candidate.report.variant.precision,
    milliseconds(predictedMs),
    milliseconds(measured.p50),
    percent(measured.correct / measured.labelled),
    device.running?.modelSha256.slice(0, 12) ?? 'nothing',
  ];
  return table(
    terminal,
    [before.made.name, 'limit', 'variant', 'channels', 'type', 'predicted', 'measured'].concat(
      'accuracy',
      'loaded',
    ),
    [line('before', before), line('after', after)],
    { right: [3, 5, 6, 7], wrap: { 1: 20 } },
  );
}

/** Why the demo did not show what it is to show; empty when it did. */
export function faultsOf(rows: readonly Row[], lifted: readonly [before: Row, after: Row]) {
  const faults: string[] = [];
  for (const { made, device, candidate } of [...rows, lifted[1]]) {
    if (device.state !== 'active') faults.push(`${made.name} is ${device.state}, not active.`);
    const loaded = device.running?.modelSha256;
    if (loaded !== candidate.model.sha256) {
      faults.push(`${made.name} loaded ${loaded ?? 'nothing'}, not ${candidate.model.sha256}.`);
    }
  }
  const widths = new Set(rows.map(({ candidate }) => widthsKey(candidate.report)));
  if (widths.size < 3) faults.push(`The devices have ${widths.size} different widths, not 3.`);
  const [before, after] = lifted;
  if (before.candidate.id === after.candidate.id) {
    faults.push(`${before.made.name} kept its variant although its limit was lifted.`);
  }
  return faults;
}
