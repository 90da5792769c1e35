import { SegmentedControl } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { Candidate } from '../api/types';
import { Chart, legend, tooltip, valueAxis, type Drawing } from '../parts/chart';
import { percent } from '../parts/format';
import { Part } from '../parts/page';
import { COSTS, isLabelled, keptOf, type CostName } from './front';

/** What the candidates keep against what they cost; a click opens one. */
export function ParetoFront({
  candidates,
  front,
  chosen,
  choose,
}: {
  candidates: readonly Candidate[];
  front: ReadonlySet<string>;
  chosen: string | null;
  choose: (id: string) => void;
}) {
  const [cost, setCost] = useState<CostName>('macs');
  const drawing = useMemo(
    () => drawingOf(candidates, front, chosen, cost),
    [candidates, front, chosen, cost],
  );
  const kept = isLabelled(candidates) ? 'accuracy' : 'agreement with the model';
  return (
    <Part
      title="Pareto front"
      note="Filled: on the front. Click one, or choose it in the table."
      actions={
        <SegmentedControl
          size="xs"
          aria-label="Against which cost"
          value={cost}
          onChange={(value) => setCost(value as CostName)}
          data={Object.entries(COSTS).map(([value, { name }]) => ({ value, label: name }))}
        />
      }
    >
      <Chart
        label={`${candidates.length} candidates: ${kept} against ${COSTS[cost].name.toLowerCase()}`}
        height={340}
        drawing={drawing}
        onPick={choose}
      />
    </Part>
  );
}

const drawingOf =
  (
    candidates: readonly Candidate[],
    front: ReadonlySet<string>,
    chosen: string | null,
    costName: CostName,
  ): Drawing =>
  (ink) => {
    const cost = COSTS[costName];
    const before = candidates[0]?.report.quality?.before;
    return {
      grid: { left: 62, right: 20, top: 36, bottom: 48 },
      legend: legend(ink),
      tooltip: {
        ...tooltip(ink),
        formatter: ({ name, value }: { name: string; value: readonly [number, number] }) =>
          `${name}<br>${value[1].toFixed(2)} % at ${value[0].toFixed(2)} ${cost.unit}`,
      },
      xAxis: { ...valueAxis(ink, `${cost.name}, ${cost.unit}`), nameGap: 30, splitNumber: 4 },
      yAxis: valueAxis(ink, isLabelled(candidates) ? 'accuracy, %' : 'agreement, %'),
      series: (['fp32', 'int8'] as const).map((precision, at) => {
        const color = at === 0 ? ink.second : ink.first;
        return {
          ...{ type: 'scatter', name: precision, cursor: 'pointer' },
          itemStyle: { color },
          data: candidates
            .filter(({ report }) => report.variant.precision === precision)
            .map((candidate) => ({
              name: candidate.id,
              value: [cost.of(candidate), 100 * keptOf(candidate)],
              symbolSize: candidate.id === chosen ? 20 : 13,
              itemStyle: {
                color: front.has(candidate.id) ? color : ink.card,
                borderColor: candidate.id === chosen ? ink.text : color,
                borderWidth: 2,
              },
            })),
          ...(before === undefined || at > 0
            ? {}
            : {
                markLine: {
                  ...{ silent: true, symbol: 'none' },
                  lineStyle: { color: ink.soft, type: 'dashed' },
                  label: {
                    ...{ color: ink.soft, position: 'insideStartTop' },
                    formatter: `before: ${percent(before)}`,
                  },
                  data: [{ yAxis: 100 * before }],
                },
              }),
        };
      }),
    };
  };
