import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { queries } from '../api/queries';
import type { TelemetryWindow } from '../api/types';
import { Chart, legend, tooltip, valueAxis, type Drawing, type Ink } from '../parts/chart';
import { bytes, clock, milliseconds, percent, whole } from '../parts/format';
import { Part, Tile, Tiles } from '../parts/page';
import { Answer, Empty } from '../parts/states';
import { variantOf } from '../telemetry/field-part';
import { FigureCharts } from '../telemetry/figure-charts';
import { SPANS, SpanSwitch, type Span } from '../telemetry/span';

/** What the device measures while it serves: its last windows, or sums over a longer time. */
export function DeviceTelemetry({ id }: { id: string }) {
  const [span, setSpan] = useState<Span | 'now'>('now');
  return (
    <Part
      title="Telemetry"
      note={
        span === 'now'
          ? 'Window by window, as the device sends them.'
          : 'Summed by time, a line for each variant that it ran.'
      }
      actions={<SpanSwitch value={span} change={setSpan} others={NOW} />}
    >
      {span === 'now' ? <LastWindows id={id} /> : <OverTime id={id} span={span} />}
    </Part>
  );
}

const NOW = [{ value: 'now', label: 'Now' }] as const;

function LastWindows({ id }: { id: string }) {
  const telemetry = useQuery(queries.telemetry(id));
  return (
    <Answer query={telemetry} what="the telemetry">
      {({ windows }) => {
        const [newest] = windows;
        return newest ? (
          <Windows windows={windows} newest={newest} />
        ) : (
          <Empty title="Nothing measured yet">
            A device reports once it runs a model that this server gave it.
          </Empty>
        );
      }}
    </Answer>
  );
}

function OverTime({ id, span }: { id: string; span: Span }) {
  const series = useQuery(queries.deviceSeries(id, SPANS[span]));
  return (
    <Answer query={series} what="the telemetry">
      {(view) =>
        view.series.length === 0 ? (
          <Empty title={`Nothing was measured in this ${span}`}>
            Look at a longer time. A device reports while it runs what a rollout gave it.
          </Empty>
        ) : (
          <div className="column">
            <FigureCharts
              view={view}
              figures={['latency', 'accuracy', 'memory']}
              nameOf={variantOf}
            />
          </div>
        )
      }
    </Answer>
  );
}

function Windows({
  windows,
  newest,
}: {
  windows: readonly TelemetryWindow[];
  newest: TelemetryWindow;
}) {
  const inOrder = useMemo(() => [...windows].reverse(), [windows]);
  // Another variant is another accuracy: only what the newest one did is summed.
  const { variantId } = newest.running;
  const same = windows.filter(({ running }) => running.variantId === variantId);
  const labelled = same.reduce((sum, one) => sum + (one.accuracy?.labelled ?? 0), 0);
  const correct = same.reduce((sum, one) => sum + (one.accuracy?.correct ?? 0), 0);
  const latency = useMemo(
    (): Drawing => (ink) => ({
      ...frame(ink, inOrder, 'ms'),
      series: [
        line(
          '95th percentile',
          ink.second,
          inOrder.map((one) => one.latencyMs?.p95 ?? null),
        ),
        line(
          'median',
          ink.first,
          inOrder.map((one) => one.latencyMs?.p50 ?? null),
        ),
      ],
    }),
    [inOrder],
  );
  const accuracy = useMemo(
    (): Drawing => (ink) => ({
      ...frame(ink, inOrder, '%'),
      series: [line('accuracy', ink.first, inOrder.map(accuracyOf))],
    }),
    [inOrder],
  );
  const memory = useMemo(
    (): Drawing => (ink) => ({
      ...frame(ink, inOrder, 'MiB'),
      series: [
        line(
          'worker',
          ink.third,
          inOrder.map((one) => one.memory.rssBytes / 2 ** 20),
        ),
      ],
    }),
    [inOrder],
  );
  return (
    <div className="column">
      <Tiles>
        <Tile name="Latency, p95">
          {newest.latencyMs ? milliseconds(newest.latencyMs.p95) : '–'}
        </Tile>
        <Tile name="Worker’s memory">{bytes(newest.memory.rssBytes)}</Tile>
        <Tile name="Accuracy" note={labelled ? `${whole(labelled)} labels` : 'no labels came'}>
          {labelled ? percent(correct / labelled) : '–'}
        </Tile>
      </Tiles>
      <Chart label={`Latency over ${windows.length} windows`} drawing={latency} height={200} />
      {labelled > 0 && (
        <Chart label={`Accuracy over ${windows.length} windows`} drawing={accuracy} height={180} />
      )}
      <Chart label={`Memory over ${windows.length} windows`} drawing={memory} height={160} />
    </div>
  );
}

const accuracyOf = ({ accuracy }: TelemetryWindow): number | null =>
  accuracy && accuracy.labelled > 0 ? (100 * accuracy.correct) / accuracy.labelled : null;

const frame = (ink: Ink, windows: readonly TelemetryWindow[], unit: string) => ({
  grid: { left: 60, right: 12, top: 28, bottom: 24 },
  legend: legend(ink),
  tooltip: {
    ...tooltip(ink),
    trigger: 'axis',
    valueFormatter: (value: unknown) =>
      typeof value === 'number' ? `${value.toFixed(2)} ${unit}` : '–',
  },
  xAxis: {
    type: 'category',
    data: windows.map(({ to }) => clock(to)),
    axisLabel: { color: ink.soft, hideOverlap: true },
    axisLine: { lineStyle: { color: ink.rule } },
    axisTick: { show: false },
  },
  yAxis: valueAxis(ink, unit),
});

const line = (name: string, color: string, data: readonly (number | null)[]) => ({
  ...{ type: 'line', name, data, showSymbol: false, connectNulls: false },
  lineStyle: { color, width: 2 },
  itemStyle: { color },
});
