import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { queries } from '../api/queries';
import type { Series, SeriesQuery, SeriesView } from '../api/types';
import { DataTable, type Column } from '../parts/data-table';
import { bytes, milliseconds, percent, whole } from '../parts/format';
import { Part } from '../parts/page';
import { Answer, Empty } from '../parts/states';
import { FigureCharts } from './figure-charts';
import { MOST_LINES } from './figures';
import { SPANS, SpanSwitch, type Span } from './span';
import { distinctly, variantOf } from './variant-names';

/** What devices measured while they served, summed over them, by release or by variant. */
export function FieldPart({
  query,
  kind,
  nameOf,
}: {
  query: SeriesQuery;
  /** What a series is of. */
  kind: 'release' | 'variant';
  nameOf?: (key: string) => string;
}) {
  const [span, setSpan] = useState<Span>('hour');
  const series = useQuery(queries.series({ ...query, by: kind }, SPANS[span]));
  return (
    <Part
      title="In the field"
      note={`What devices measured while they served, by ${kind}.`}
      actions={<SpanSwitch<never> value={span} change={setSpan} />}
    >
      <Answer query={series} what="the telemetry">
        {(view) =>
          view.series.length === 0 ? (
            <Empty title={`Nothing was measured in this ${span}`}>
              Devices report once a minute while they run what a rollout gave them. Look at a longer
              time, or at the fleet for devices that were not seen.
            </Empty>
          ) : (
            <Measured view={view} kind={kind} nameOf={nameOf ?? variantOf} />
          )
        }
      </Answer>
    </Part>
  );
}

function Measured({
  view,
  kind,
  nameOf,
}: {
  view: SeriesView;
  kind: 'release' | 'variant';
  nameOf: (key: string) => string;
}) {
  const { series } = view;
  const named = useMemo(
    () =>
      distinctly(
        series.map(({ key }) => key),
        nameOf,
      ),
    [series, nameOf],
  );
  const isLabelled = series.some(({ total }) => total.accuracy !== null);
  return (
    <div className="column">
      <div className="two charts">
        <FigureCharts
          view={view}
          figures={['latency', isLabelled ? 'accuracy' : 'estimate']}
          nameOf={named}
        />
      </div>
      {series.length > MOST_LINES && (
        <p className="soft small-print">
          The {MOST_LINES} that served most are drawn, of {whole(series.length)}.
        </p>
      )}
      <DataTable
        label={`What was measured, by ${kind}`}
        rows={series}
        keyOf={({ key }) => key}
        columns={[
          {
            name: kind === 'release' ? 'Release' : 'Variant',
            ...(kind === 'variant' ? { kind: 'mono' as const } : {}),
            show: ({ key }) => named(key),
          },
          ...COLUMNS,
        ]}
      />
    </div>
  );
}

const COLUMNS: readonly Column<Series>[] = [
  { name: 'Inferences', kind: 'number', show: ({ total }) => whole(total.inferences) },
  { name: 'Errors', kind: 'number', show: ({ total }) => whole(total.errors) },
  {
    name: 'Accuracy',
    kind: 'number',
    show: ({ total: { accuracy } }) =>
      accuracy ? (
        <span title={`${whole(accuracy.correct)} of ${whole(accuracy.labelled)} labels`}>
          {percent(accuracy.value)}
        </span>
      ) : (
        '–'
      ),
  },
  {
    name: 'Estimated',
    kind: 'number',
    show: ({ total: { accuracyEstimate } }) =>
      accuracyEstimate ? (
        <span
          title={`from the confidence of ${whole(accuracyEstimate.items)} answers, held against ${accuracyEstimate.references.join(' and ')} data`}
        >
          {percent(accuracyEstimate.value)}
        </span>
      ) : (
        '–'
      ),
  },
  {
    name: 'Latency, median',
    kind: 'number',
    show: ({ total: { latencyMs } }) =>
      latencyMs ? milliseconds(latencyMs.p50 ?? latencyMs.mean) : '–',
  },
  {
    name: 'p95',
    kind: 'number',
    show: ({ total: { latencyMs } }) =>
      latencyMs ? milliseconds(latencyMs.p95 ?? latencyMs.max) : '–',
  },
  { name: 'Memory', kind: 'number', show: ({ total }) => bytes(total.memory.rssMaxBytes) },
  { name: 'Restarts', kind: 'number', show: ({ total }) => whole(total.restarts) },
];
