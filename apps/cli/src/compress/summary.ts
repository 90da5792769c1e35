import type { CompressionReport, ParetoDocument } from '@espalier/compression';
import { bytes, count, duration, milliseconds, percent, signedPoints } from '../output/figures.js';
import { table, type Terminal } from '../output/terminal.js';

/** A report as people read it: before against after, then each goal. */
export function reportText(
  report: CompressionReport,
  folder: string,
  terminal: Pick<Terminal, 'colors'>,
): string {
  const { model, variant, quality, fidelity, latencyMs, artifact } = report;
  const rows = [
    row('MACs', count(model.macs), count(variant.macs), variant.macs / model.macs),
    row('parameters', count(model.params), count(variant.params), variant.params / model.params),
    row('file', bytes(model.bytes), bytes(variant.bytes), variant.bytes / model.bytes),
    row(
      'peak RAM',
      bytes(model.peakRamBytes),
      bytes(variant.peakRamBytes),
      variant.peakRamBytes / model.peakRamBytes,
    ),
    ['to send', '', `${bytes(artifact.bytes)} (${artifact.encoding})`, ''],
  ];
  if (quality) {
    const [low, high] = quality.interval;
    rows.push([
      quality.metric,
      percent(quality.before, 2),
      percent(quality.after, 2),
      `${signedPoints(low)} to ${signedPoints(high)} points, ${count(quality.samples)} samples`,
    ]);
  }
  rows.push(
    fidelity.meanSquaredError === undefined
      ? ['same decision', '', percent(fidelity.agreement, 2), `${count(fidelity.samples)} samples`]
      : [
          'output differs',
          '',
          String(Number(fidelity.meanSquaredError.toPrecision(3))),
          `mean square${ofVariance(fidelity)}, ${count(fidelity.samples)} samples`,
        ],
  );
  if (latencyMs) {
    rows.push(['latency there', '', milliseconds(latencyMs.predicted), 'predicted']);
    rows.push(['latency here', '', milliseconds(latencyMs.measured.p50), 'measured, median']);
  }
  const parts = [
    table(terminal, ['', 'before', `after (${variant.precision})`, ''], rows, { right: [1, 2] }),
  ];
  if (report.warnings.length > 0)
    parts.push(
      report.warnings.map((line) => terminal.colors.yellow(`Warning: ${line}`)).join('\n'),
    );
  if (report.goals.length > 0) parts.push(goalsText(report.goals, terminal));
  if (report.obstacles.length > 0) parts.push(['In the way:', ...report.obstacles].join('\n'));
  parts.push(`${folder}/model.onnx and report.json, in ${duration(report.seconds.total)}`);
  return parts.join('\n\n');
}

const ofVariance = ({ ofVariance: share }: CompressionReport['fidelity']): string =>
  share === undefined ? '' : `, ${percent(share, 2)} of the variance`;

function goalsText(goals: CompressionReport['goals'], { colors }: Pick<Terminal, 'colors'>) {
  return goals
    .map(({ name, target, achieved, met }) => {
      const verdict = met ? colors.green('met') : colors.red('not met');
      return `${name} ${target}: ${verdict} with ${Number(achieved.toPrecision(4))}`;
    })
    .join('\n');
}

/** A front as people read it. */
export function frontText(
  pareto: ParetoDocument,
  reports: readonly CompressionReport[],
  folder: string,
  terminal: Pick<Terminal, 'colors'>,
): string {
  const goals = reports[0]?.goals ?? [];
  const drawn = table(
    terminal,
    ['folder', 'MACs', 'file', 'to send', 'peak RAM', 'accuracy', 'front', ...goalHead(goals)],
    pareto.candidates.map((candidate, at) => {
      const report = reports[at];
      const quality = report?.quality?.after ?? candidate.accuracy;
      return [
        candidate.id,
        count(candidate.macs),
        bytes(candidate.bytes),
        bytes(candidate.artifactBytes),
        bytes(candidate.peakRamBytes),
        quality === null ? '' : percent(quality, 2),
        candidate.onFront ? 'yes' : '',
        ...(goals.length === 0 ? [] : [report?.goals.every(({ met }) => met) ? 'yes' : 'no']),
      ];
    }),
    { right: [1, 2, 3, 4, 5] },
  );
  return `${drawn}\n\n${folder}/pareto.json and a folder each, in ${duration(pareto.seconds)}`;
}

const goalHead = (goals: CompressionReport['goals']): string[] =>
  goals.length === 0 ? [] : ['meets the goals'];

const row = (name: string, before: string, after: string, ratio: number): string[] => [
  name,
  before,
  after,
  `${ratio.toFixed(3)} of it`,
];
