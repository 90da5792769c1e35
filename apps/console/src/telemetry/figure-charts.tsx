import { useMemo } from 'react';
import type { SeriesView } from '../api/types';
import { beginOf, busiest, FIGURES, lineOf, type FigureName } from './figures';
import { TimeChart, type TimeLine } from './time-chart';

/** Figures over time, one chart each, with a line for each of the series that served most. */
export function FigureCharts({
  view,
  figures,
  nameOf,
}: {
  view: SeriesView;
  figures: readonly FigureName[];
  nameOf: (key: string) => string;
}) {
  const measured = figures.filter((name) =>
    view.series.some(({ points }) => points.some((point) => FIGURES[name].of(point) !== null)),
  );
  return (
    <>
      {measured.map((name) => (
        <Figure key={name} {...{ view, name, nameOf }} />
      ))}
    </>
  );
}

function Figure({
  view,
  name,
  nameOf,
}: {
  view: SeriesView;
  name: FigureName;
  nameOf: (key: string) => string;
}) {
  const { name: title, unit, of } = FIGURES[name];
  const lines = useMemo(
    () =>
      busiest(view.series).map((series): TimeLine => ({
        name: nameOf(series.key),
        points: lineOf(series, view.resolution, of),
      })),
    [view, of, nameOf],
  );
  return (
    <TimeChart
      {...{ title, unit, lines }}
      label={`${title} by ${view.resolution}, of ${lines.map((line) => line.name).join(', ')}`}
      from={beginOf(view)}
      to={Date.parse(view.to)}
    />
  );
}
