import type { CompressionReport } from '@espalier/compression';
import { count, percent } from '../../output/figures.js';
import {
  type Drawing,
  figure,
  INK,
  legend,
  NARROW,
  rowAxis,
  shortName,
  valueAxis,
} from './chart.js';
import type { Markup } from './markup.js';

type Quality = NonNullable<CompressionReport['quality']>;

/** Classes that one chart shows; of more, those that changed most. */
const MOST_CLASSES = 40;

/** Accuracy of each class, before and after. */
export function classChart(quality: Quality): Markup {
  const shown = [...quality.byClass]
    .sort((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before))
    .slice(0, MOST_CLASSES);
  const rows = quality.byClass.filter((entry) => shown.includes(entry));
  const part =
    rows.length < quality.byClass.length ? `The ${rows.length} that changed most of ` : '';
  return figure(
    {
      title: 'Accuracy by class',
      label: rows
        .map((row) => `${row.label}: ${percent(row.before)} before, ${percent(row.after)} after`)
        .join('; '),
      note: `${part}${count(quality.byClass.length)} classes, on ${count(quality.samples)} samples held for evaluation. The bar reaches from before to after.`,
      span: 'half',
    },
    (width) => draw(rows, width),
  );
}

function draw(rows: Quality['byClass'], width: number): Drawing {
  const least = Math.min(...rows.flatMap(({ before, after }) => [before, after]));
  const left = width <= NARROW ? 100 : 120;
  const dots = (name: string, values: readonly number[], style: object): object => ({
    ...{ type: 'scatter', name, silent: true, symbolSize: 11, itemStyle: style, z: 3 },
    data: values.map((value, row) => [100 * value, row]),
  });
  return {
    height: 96 + 26 * rows.length,
    option: {
      grid: { left, right: 24, top: 34, bottom: 50 },
      legend: legend(),
      xAxis: valueAxis('accuracy, %', {
        min: Math.max(0, Math.floor(10 * least - 0.5) * 10),
        max: 100,
      }),
      yAxis: rowAxis(
        rows.map(({ label }) => shortName(label, NARROW)),
        { splitLine: { show: true, lineStyle: { color: INK.rule } }, boundaryGap: true },
      ),
      series: [
        {
          type: 'custom',
          silent: true,
          data: rows.map(({ before, after }, row) => [100 * before, 100 * after, row]),
          renderItem: between,
          encode: { x: [0, 1], y: 2 },
        },
        dots(
          'before',
          rows.map(({ before }) => before),
          { color: INK.page, borderColor: INK.soft, borderWidth: 2 },
        ),
        dots(
          'after',
          rows.map(({ after }) => after),
          { color: INK.accent },
        ),
      ],
    },
  };
}

interface RowApi {
  value(dimension: number): number;
  coord(at: readonly number[]): number[];
}

function between(_: unknown, api: RowApi): object {
  const [x1 = 0, y = 0] = api.coord([api.value(0), api.value(2)]);
  const [x2 = 0] = api.coord([api.value(1), api.value(2)]);
  return {
    type: 'line',
    shape: { x1, y1: y, x2, y2: y },
    style: { stroke: INK.accent, lineWidth: 4, opacity: 0.45 },
  };
}
