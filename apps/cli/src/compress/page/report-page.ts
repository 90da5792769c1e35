import type { CompressionReport } from '@espalier/compression';
import {
  bytes,
  count,
  duration,
  milliseconds,
  percent,
  signedPoints,
} from '../../output/figures.js';
import { classChart } from './class-chart.js';
import { goalRow } from './goal-words.js';
import { sensitivityChart, widthChart } from './group-charts.js';
import { page, table, tile } from './layout.js';
import { html, type Markup } from './markup.js';
import { searchChart } from './search-chart.js';
import { timeChart } from './time-chart.js';

/**
 * `report.html`: a report as people read it, whole in one file.
 * @param name what the model is called
 * @param front the address of the front that the variant belongs to, if there is one
 */
export function reportPage(report: CompressionReport, name: string, front?: string): string {
  const { goals, quality, variant } = report;
  const charts = [
    report.front ? searchChart(report.front, report.model) : '',
    cutsAnything(report) ? widthChart(report) : '',
    report.sensitivity.some(({ points }) => points.length > 1) ? sensitivityChart(report) : '',
    quality && quality.byClass.length > 1 ? classChart(quality) : '',
    timeChart(report),
  ];
  return page(
    `${name}: compression report`,
    html`<header>
        ${front ? html`<a class="brand" href="${front}">Espalier, the whole front</a>` : html`<span class="brand">Espalier</span>`}
        <h1>${name}</h1>
        <p class="soft">
          ${variant.precision} variant made in ${duration(report.seconds.total)} without training.
          ${goalsInBrief(goals)}
        </p>
        ${report.warnings.map((line) => html`<p class="warning">${line}</p>`)}
      </header>
      <dl class="tiles">${tiles(report)}</dl>
      <h2>What it costs and what it keeps</h2>
      <div class="card">${costs(report)}</div>
      ${
        goals.length > 0
          ? html`<h2>Goals</h2>
              <div class="card">
                ${table(['goal', 'asked', 'reached', ''], goals.map(goalRow), [1, 2])}
                ${report.obstacles.map((line) => html`<p class="note">${line}</p>`)}
              </div>`
          : ''
      }
      <h2>Where it was cut, and what that did</h2>
      <div class="figures">${charts}</div>
      ${stages(report)}
      <h2>How it computes</h2>
      <div class="card">${numerics(report)}</div>
      <h2>Files</h2>
      <div class="card">${identity(report)}</div>`,
  );
}

const cutsAnything = ({ variant }: CompressionReport): boolean =>
  Object.values(variant.groups).some(({ of, kept }) => kept.length < of);

function goalsInBrief(goals: CompressionReport['goals']): string {
  const missed = goals.filter(({ met }) => !met).length;
  if (goals.length === 0) return 'No goal was set.';
  if (missed === 0) return goals.length === 1 ? 'The goal is met.' : 'All goals are met.';
  return `${missed} of ${goals.length} goals could not be met: this is the best found.`;
}

function tiles({ model, variant, artifact, quality, fidelity }: CompressionReport): Markup[] {
  const share = (after: number, before: number): string => percent(after / Math.max(before, 1));
  return [
    quality
      ? tile(quality.metric, percent(quality.after, 2), `${percent(quality.before, 2)} before`)
      : fidelity.meanSquaredError === undefined
        ? tile(
            'same decision',
            percent(fidelity.agreement, 2),
            `on ${count(fidelity.samples)} samples`,
          )
        : tile(
            'output differs by',
            fidelity.ofVariance === undefined
              ? String(Number(fidelity.meanSquaredError.toPrecision(3)))
              : percent(fidelity.ofVariance, 2),
            fidelity.ofVariance === undefined ? 'mean square' : 'of its variance, mean square',
          ),
    tile('MACs', share(variant.macs, model.macs), `${count(variant.macs)} of ${count(model.macs)}`),
    tile(
      'file',
      share(variant.bytes, model.bytes),
      `${bytes(variant.bytes)} of ${bytes(model.bytes)}`,
    ),
    tile(
      'peak RAM',
      share(variant.peakRamBytes, model.peakRamBytes),
      `${bytes(variant.peakRamBytes)} of ${bytes(model.peakRamBytes)}`,
    ),
    tile('to send', bytes(artifact.bytes), `encoded as ${artifact.encoding}`),
  ];
}

function costs(report: CompressionReport): Markup {
  const { model, variant, quality, fidelity, latencyMs } = report;
  const row = (name: string, format: (value: number) => string, before: number, after: number) => [
    ...[name, format(before), format(after)],
    `${(after / Math.max(before, 1)).toFixed(3)} of it`,
  ];
  const rows = [
    row('multiply-accumulates', count, model.macs, variant.macs),
    row('parameters', count, model.params, variant.params),
    row('file', bytes, model.bytes, variant.bytes),
    row('peak RAM, weights and activations', bytes, model.peakRamBytes, variant.peakRamBytes),
  ];
  if (quality) {
    const [low, high] = quality.interval;
    rows.push([
      quality.metric,
      percent(quality.before, 2),
      percent(quality.after, 2),
      `${signedPoints(quality.after - quality.before)} points; paired 95 % interval ${signedPoints(low)} to ${signedPoints(high)}`,
    ]);
  }
  const where = `${count(fidelity.samples)} ${quality ? 'evaluation' : 'held-back calibration'} samples`;
  const figure = (value: number): string => String(Number(value.toPrecision(3)));
  if (fidelity.meanSquaredError === undefined) {
    rows.push(
      ['same decision as the original', '', percent(fidelity.agreement, 2), where],
      ['mean divergence of the output, nats', '', figure(fidelity.meanKl ?? 0), ''],
    );
  } else {
    const difference = figure(fidelity.meanSquaredError);
    rows.push(['mean squared difference of the output', '', difference, where]);
    if (fidelity.ofVariance !== undefined)
      rows.push(["the same, of the output's variance", '', percent(fidelity.ofVariance, 2), '']);
  }
  if (latencyMs) {
    const { p50, p95, threads } = latencyMs.measured;
    rows.push(
      [
        'latency on the device',
        '',
        milliseconds(latencyMs.predicted),
        'predicted from its profile',
      ],
      [
        'latency here',
        '',
        milliseconds(p50),
        `measured, ${threads} thread${threads === 1 ? '' : 's'}; 95th percentile ${milliseconds(p95)}`,
      ],
    );
  }
  return table(['', 'before', 'after', ''], rows, [1, 2]);
}

function stages({ stages, seconds }: CompressionReport): Markup | string {
  if (stages.length === 0) return '';
  const rows = stages.map(({ name, loss, accuracy, kept }) => [
    name,
    String(Number(loss.toPrecision(3))),
    accuracy === null ? '' : percent(accuracy, 2),
    spent(seconds.byStage[name]),
    kept ? 'kept' : html`<span class="bad">undone: it harmed more than it paid</span>`,
  ]);
  return html`<h2>Stages</h2>
    <div class="card">
      <p class="soft">
        After each stage the variant is measured on the quarter of the calibration samples that
        nothing is fitted to.
      </p>
      ${table(['stage', 'change of the output', 'accuracy there', 'took', ''], rows, [1, 2, 3])}
    </div>`;
}

const spent = (seconds = 0): string =>
  seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds);

function numerics({ variant }: CompressionReport): Markup {
  const { activation, weight, isaSafe, measuredOn } = variant.numerics;
  const rows: (string | Markup)[][] = [
    ['activations', activation],
    ['weights', weight],
    ['measured on', measuredOn],
  ];
  if (variant.precision === 'int8') {
    rows.push([
      'saturation on x86 without VNNI',
      isaSafe
        ? 'Safe: any two neighbouring weights sum to within ±128, so 16-bit sums cannot saturate, and the variant computes the same on every processor.'
        : 'Possible: the weights use their whole range. Accuracy holds where 8-bit products are exact, as measured; on x86 without VNNI it may be lower.',
    ]);
  }
  if (variant.sparsity > 0) rows.push(['weights that are zero, asked', percent(variant.sparsity)]);
  if (variant.removedBlocks.length > 0) rows.push(['blocks removed', names(variant.removedBlocks)]);
  if (variant.islands.length > 0) {
    rows.push(['left in floating point, by measurement', names(variant.islands)]);
  }
  return table(['', ''], rows, []);
}

const names = (list: readonly string[]): Markup =>
  html`${list.map((name, i) => html`${i > 0 ? ', ' : ''}<code>${name}</code>`)}`;

function identity({
  model,
  variant,
  artifact,
  latencyMs,
  schemaVersion,
}: CompressionReport): Markup {
  const code = (text: string): Markup => html`<code>${text}</code>`;
  const rows = [
    ['original', code(model.sha256), bytes(model.bytes)],
    ['variant', code(variant.sha256), bytes(variant.bytes)],
    [`to send, ${artifact.encoding}`, code(artifact.sha256), bytes(artifact.bytes)],
    ...(latencyMs?.profileSha256 ? [['device profile', code(latencyMs.profileSha256), '']] : []),
  ];
  return html`${table(['', 'sha256', 'size'], rows, [2])}
    <p class="note">
      All that is here, and the channels kept, is in <code>report.json</code> (schema
      ${schemaVersion}).
    </p>`;
}
