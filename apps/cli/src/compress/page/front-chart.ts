import type { CompressionReport, ParetoDocument } from '@espalier/compression';
import { figure, INK, legend, valueAxis } from './chart.js';
import type { Markup } from './markup.js';

/** A candidate, with what it was measured to keep. */
export type FrontCandidate = ParetoDocument['candidates'][number] & {
  readonly quality: CompressionReport['quality'];
};

/** What a front is drawn against. */
export interface Cost {
  readonly title: string;
  readonly axis: string;
  cost(candidate: FrontCandidate): number;
}

/** Candidates by cost and accuracy (by loss where there are no labels), the front joined. */
export function frontChart(
  candidates: readonly FrontCandidate[],
  original: CompressionReport['model'] | undefined,
  { title, axis, cost }: Cost,
): Markup {
  const labelled = candidates.every((c) => c.quality !== null || c.accuracy !== null);
  const kept = (c: FrontCandidate): number =>
    labelled ? 100 * (c.quality?.after ?? c.accuracy ?? 0) : c.loss;
  const points = (some: readonly FrontCandidate[]): number[][] =>
    some.map((candidate) => [cost(candidate), kept(candidate)]);
  const series = (['fp32', 'int8'] as const).flatMap((precision, i) => {
    const some = candidates.filter((candidate) => candidate.precision === precision);
    const color = i === 0 ? INK.second : INK.accent;
    return some.length === 0
      ? []
      : [
          {
            ...{ type: 'scatter', name: precision, silent: true, symbolSize: 11 },
            itemStyle: { color },
            data: points(some),
          },
          {
            ...{ type: 'line', name: precision, silent: true, symbol: 'none' },
            lineStyle: { color, width: 1.5, opacity: 0.6 },
            itemStyle: { color },
            data: points(some.filter(({ onFront }) => onFront).sort((a, b) => cost(a) - cost(b))),
          },
        ];
  });
  const before = candidates[0]?.quality?.before;
  return figure(
    {
      title,
      label: candidates
        .map((c) => `${c.id}: ${cost(c).toFixed(2)} ${axis}, ${kept(c).toFixed(2)}`)
        .join('; '),
      note:
        before === undefined || !original
          ? 'The line joins those on the front.'
          : `The line joins those on the front. Before: ${(100 * before).toFixed(2)} % (dashed).`,
      span: 'half',
    },
    () => ({
      height: 320,
      option: {
        grid: { left: 62, right: 20, top: 34, bottom: 50 },
        legend: legend(),
        xAxis: valueAxis(axis, { min: 0 }),
        yAxis: valueAxis(labelled ? 'accuracy, %' : 'change of the output', {
          scale: true,
          nameGap: 42,
        }),
        series: [
          ...series,
          ...(before === undefined
            ? []
            : [reference(100 * before, Math.max(...candidates.map(cost)))]),
        ],
      },
    }),
  );
}

/** A level across the chart. */
function reference(value: number, end: number): object {
  return {
    ...{ type: 'line', silent: true, symbol: 'none' },
    lineStyle: { color: INK.soft, type: 'dashed', width: 1 },
    data: [
      [0, value],
      [end, value],
    ],
  };
}
