import { useMemo } from 'react';
import { Chart, inkOf, legend, tooltip, valueAxis, type Drawing } from '../parts/chart';

/** Fewer points are drawn as such, too: one that stands alone has no line to be seen by. */
const FEW = 40;

/** What was measured when, as milliseconds since the epoch; null breaks the line. */
export interface TimeLine {
  readonly name: string;
  readonly points: readonly (readonly [at: number, value: number | null])[];
}

/** Lines over time, under a title. */
export function TimeChart({
  title,
  label,
  unit,
  lines,
  from,
  to,
  height = 190,
}: {
  title: string;
  /** What is drawn, for those who do not see it. */
  label: string;
  unit: string;
  /** Drawn anew when this is another array. */
  lines: readonly TimeLine[];
  /** Ends of the time axis; by default those of the lines. */
  from?: number;
  to?: number;
  height?: number;
}) {
  const drawing = useMemo(
    (): Drawing => (ink) => ({
      grid: { left: 60, right: 14, top: lines.length > 1 ? 30 : 12, bottom: 24 },
      legend: { ...legend(ink), type: 'scroll', show: lines.length > 1, left: 0 },
      tooltip: {
        ...tooltip(ink),
        trigger: 'axis',
        valueFormatter: (value: unknown) =>
          typeof value === 'number' ? `${value.toFixed(2)} ${unit}` : '–',
      },
      xAxis: {
        ...{ type: 'time', min: from, max: to, splitNumber: 4 },
        axisLabel: { color: ink.soft, hideOverlap: true },
        axisLine: { lineStyle: { color: ink.rule } },
      },
      yAxis: { ...valueAxis(ink, unit), splitNumber: 4 },
      series: lines.map(({ name, points }, at) => ({
        ...{ type: 'line', name, connectNulls: false, data: points },
        ...{ showSymbol: points.length < FEW, symbolSize: 5 },
        lineStyle: { color: inkOf(ink, at), width: 2 },
        itemStyle: { color: inkOf(ink, at) },
      })),
    }),
    [lines, unit, from, to],
  );
  return (
    <section aria-label={title}>
      <h3 className="chart-title">{title}</h3>
      <Chart label={label} drawing={drawing} height={height} />
    </section>
  );
}
