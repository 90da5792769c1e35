import type { Series, SeriesView } from '../api/types';

type Point = Series['points'][number];

/** Length of a point, milliseconds. */
const LENGTH_MS: Readonly<Record<SeriesView['resolution'], number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};
export const MOST_LINES = 6;

/** What is drawn over time; null where there was nothing to measure. */
export const FIGURES = {
  latency: {
    name: 'Latency, 95th percentile',
    unit: 'ms',
    of: ({ latencyMs }: Point) => (latencyMs ? (latencyMs.p95 ?? latencyMs.max) : null),
  },
  accuracy: {
    name: 'Accuracy',
    unit: '%',
    of: ({ accuracy }: Point) => (accuracy ? 100 * accuracy.value : null),
  },
  estimate: {
    name: 'Accuracy, estimated from confidence',
    unit: '%',
    of: ({ accuracyEstimate }: Point) => (accuracyEstimate ? 100 * accuracyEstimate.value : null),
  },
  memory: {
    name: 'Largest memory of a worker',
    unit: 'MiB',
    of: ({ memory }: Point) => memory.rssMaxBytes / 2 ** 20,
  },
} as const;
export type FigureName = keyof typeof FIGURES;

/** Series that served most, which are those that are drawn. */
export const busiest = (series: readonly Series[]): readonly Series[] =>
  [...series].sort((a, b) => b.total.inferences - a.total.inferences).slice(0, MOST_LINES);

/** Where the time axis begins: where it was asked to, or a point before the first that there is. */
export function beginOf({ from, resolution, series }: SeriesView): number {
  const first = Math.min(
    ...series.flatMap(({ points }) => points.map(({ start }) => Date.parse(start))),
  );
  return Math.max(Date.parse(from), first - LENGTH_MS[resolution]);
}

/** Times and values of a line, which breaks where nothing was measured. */
export function lineOf(
  { points }: Series,
  resolution: SeriesView['resolution'],
  of: (point: Point) => number | null,
): [number, number | null][] {
  const length = LENGTH_MS[resolution];
  const inOrder = [...points].sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
  return inOrder.flatMap((point, at) => {
    const start = Date.parse(point.start);
    const next = inOrder[at + 1];
    const broken = next !== undefined && Date.parse(next.start) - start > length;
    const here: [number, number | null] = [start, of(point)];
    return broken ? [here, [start + length, null] as [number, null]] : [here];
  });
}
