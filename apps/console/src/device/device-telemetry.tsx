import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { queries } from '../api/queries';
import type { TelemetryWindow } from '../api/types';
import { Chart, legend, tooltip, valueAxis, type Drawing, type Ink } from '../parts/chart';
import { bytes, clock, milliseconds, percent, whole } from '../parts/format';
import { Part, Tile, Tiles } from '../parts/page';
import { Answer, Empty } from '../parts/states';

/** What the device measures while it serves. */
export function DeviceTelemetry({ id }: { id: string }) {
  const telemetry = useQuery(queries.telemetry(id));
  return (
    <Part title="Telemetry" note="Window by window, as the device sends them.">
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
    </Part>
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
