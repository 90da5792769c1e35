import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { queries } from '../api/queries';
import type { TelemetryWindow } from '../api/types';
import { bytes, milliseconds, percent, whole } from '../parts/format';
import { Part, Tile, Tiles } from '../parts/page';
import { Answer, Empty } from '../parts/states';
import { FigureCharts } from '../telemetry/figure-charts';
import { SPANS, SpanSwitch, type Span } from '../telemetry/span';
import { TimeChart, type TimeLine } from '../telemetry/time-chart';
import { variantOf } from '../telemetry/variant-names';

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
              figures={['latency', 'accuracy', 'estimate', 'memory']}
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
  // Another variant is another accuracy: only what the newest one did is summed.
  const { variantId } = newest.running;
  const same = windows.filter(({ running }) => running.variantId === variantId);
  const labelled = same.reduce((sum, one) => sum + (one.accuracy?.labelled ?? 0), 0);
  const correct = same.reduce((sum, one) => sum + (one.accuracy?.correct ?? 0), 0);
  const lines = useMemo(() => {
    const line = (name: string, of: (window: TelemetryWindow) => number | null): TimeLine => ({
      name,
      points: [...windows].reverse().map((window) => [Date.parse(window.to), of(window)]),
    });
    return {
      latency: [
        line('median', ({ latencyMs }) => latencyMs?.p50 ?? null),
        line('95th percentile', ({ latencyMs }) => latencyMs?.p95 ?? null),
      ],
      accuracy: [line('accuracy', accuracyOf)],
      memory: [line('worker', ({ memory }) => memory.rssBytes / 2 ** 20)],
    };
  }, [windows]);
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
      <TimeChart
        title="Latency"
        label={`Latency over ${windows.length} windows`}
        unit="ms"
        lines={lines.latency}
      />
      {labelled > 0 && (
        <TimeChart
          title="Accuracy"
          label={`Accuracy over ${windows.length} windows`}
          unit="%"
          lines={lines.accuracy}
        />
      )}
      <TimeChart
        title="Worker’s memory"
        label={`Memory over ${windows.length} windows`}
        unit="MiB"
        lines={lines.memory}
        height={160}
      />
    </div>
  );
}

const accuracyOf = ({ accuracy }: TelemetryWindow): number | null =>
  accuracy && accuracy.labelled > 0 ? (100 * accuracy.correct) / accuracy.labelled : null;
