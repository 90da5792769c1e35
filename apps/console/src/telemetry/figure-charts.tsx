import { useMemo } from 'react';
import type { SeriesView } from '../api/types';
import { Chart, inkOf, legend, tooltip, valueAxis, type Drawing } from '../parts/chart';
import { beginOf, busiest, FIGURES, lineOf, type FigureName } from './figures';

/** Figures over time, one chart each, with a line for each of the series that served most. */
export function FigureCharts({
  view,
  figures,
  nameOf,
  height = 190,
}: {
  view: SeriesView;
  figures: readonly FigureName[];
  nameOf: (key: string) => string;
  height?: number;
}) {
  const measured = figures.filter((name) =>
    view.series.some(({ points }) => points.some((point) => FIGURES[name].of(point) !== null)),
  );
  return (
    <>
      {measured.map((name) => (
        <section key={name} aria-label={FIGURES[name].name}>
          <h3 className="chart-title">{FIGURES[name].name}</h3>
          <Figure {...{ view, name, nameOf, height }} />
        </section>
      ))}
    </>
  );
}

function Figure({
  view,
  name,
  nameOf,
  height,
}: {
  view: SeriesView;
  name: FigureName;
  nameOf: (key: string) => string;
  height: number;
}) {
  const { unit, of } = FIGURES[name];
  const shown = useMemo(() => busiest(view.series), [view]);
  const drawing = useMemo(
    (): Drawing => (ink) => ({
      grid: { left: 60, right: 14, top: shown.length > 1 ? 30 : 12, bottom: 24 },
      legend: { ...legend(ink), type: 'scroll', show: shown.length > 1, left: 0 },
      tooltip: {
        ...tooltip(ink),
        trigger: 'axis',
        valueFormatter: (value: unknown) =>
          typeof value === 'number' ? `${value.toFixed(2)} ${unit}` : '–',
      },
      xAxis: {
        type: 'time',
        min: beginOf(view),
        max: Date.parse(view.to),
        axisLabel: { color: ink.soft, hideOverlap: true },
        axisLine: { lineStyle: { color: ink.rule } },
        splitNumber: 4,
      },
      yAxis: { ...valueAxis(ink, unit), splitNumber: 4 },
      series: shown.map((series, at) => ({
        ...{ type: 'line', name: nameOf(series.key), connectNulls: false },
        // A point that stands alone has no line to be seen by.
        ...{ showSymbol: series.points.length < 40, symbolSize: 5 },
        lineStyle: { color: inkOf(ink, at), width: 2 },
        itemStyle: { color: inkOf(ink, at) },
        data: lineOf(series, view.resolution, of),
      })),
    }),
    [view, shown, unit, of, nameOf],
  );
  return (
    <Chart
      label={`${FIGURES[name].name} by ${view.resolution}, of ${shown.map(({ key }) => nameOf(key)).join(', ')}`}
      drawing={drawing}
      height={height}
    />
  );
}
