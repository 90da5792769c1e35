import type { CompressionReport, ParetoDocument } from '@espalier/compression';
import { bytes, count, duration, percent, signedPoints } from '../../output/figures.js';
import { frontChart } from './front-chart.js';
import { verdict } from './goal-words.js';
import { page, table } from './layout.js';
import { html } from './markup.js';

/** `report.html` of a front: every candidate against the others, each with its own report. */
export function frontPage(
  pareto: ParetoDocument,
  reports: readonly CompressionReport[],
  name: string,
): string {
  const candidates = pareto.candidates.map((candidate, i) => ({
    ...candidate,
    quality: reports[i]?.quality ?? null,
    goals: reports[i]?.goals ?? [],
  }));
  const original = reports[0]?.model;
  const onFront = candidates.filter((candidate) => candidate.onFront).length;
  const asked = candidates.some(({ goals }) => goals.length > 0);
  const rows = candidates.map((candidate) => [
    html`<a href="${encodeURIComponent(candidate.id)}/report.html">${candidate.id}</a>`,
    candidate.precision,
    count(candidate.macs),
    bytes(candidate.bytes),
    bytes(candidate.artifactBytes),
    bytes(candidate.peakRamBytes),
    accuracyText(candidate),
    candidate.quality ? interval(candidate.quality) : '',
    candidate.onFront ? 'yes' : '',
    ...(asked ? [verdict(candidate.goals.every(({ met }) => met))] : []),
  ]);
  const head = [
    '',
    'precision',
    'MACs',
    'file',
    'to send',
    'peak RAM',
    'accuracy',
    'against before',
  ];
  return page(
    `${name}: candidates`,
    html`<header>
        <span class="brand">Espalier</span>
        <h1>${name}</h1>
        <p class="soft">
          ${candidates.length} candidates from one calibration in ${duration(pareto.seconds)},
          without training; ${onFront} of them are on the front: no other is at once as cheap and as
          accurate.
        </p>
      </header>
      <div class="figures">
        ${frontChart(candidates, original, {
          title: 'Accuracy against work',
          axis: 'multiply-accumulates, millions',
          cost: ({ macs }) => macs / 1e6,
        })}
        ${frontChart(candidates, original, {
          title: 'Accuracy against bytes to send',
          axis: 'KiB to send',
          cost: ({ artifactBytes }) => artifactBytes / 1024,
        })}
      </div>
      <h2>Candidates</h2>
      <div class="card">
        ${table([...head, 'on the front', ...(asked ? ['goals'] : [])], rows, [2, 3, 4, 5, 6, 7])}
        <p class="note">
          Accuracy
          ${candidates[0]?.quality ? 'on the evaluation samples; the difference with its paired 95 % interval, in points' : 'on the quarter of the calibration samples that nothing is fitted to'}.
          All that is here is in <code>pareto.json</code> and each folder's
          <code>report.json</code>.
        </p>
      </div>`,
  );
}

function interval({
  before,
  after,
  interval: [low, high],
}: NonNullable<CompressionReport['quality']>) {
  return `${signedPoints(after - before)} (${signedPoints(low)} to ${signedPoints(high)})`;
}

function accuracyText({
  quality,
  accuracy,
  loss,
}: ParetoDocument['candidates'][number] & { quality: CompressionReport['quality'] }): string {
  const reached = quality?.after ?? accuracy;
  return reached === null ? `loss ${Number(loss.toPrecision(3))}` : percent(reached, 2);
}
