import type { CompressionReport } from '@espalier/compression';
import { duration } from '../../output/figures.js';
import { figure, INK, rowAxis, valueAxis } from './chart.js';
import type { Markup } from './markup.js';

/** Where the time went. */
export function timeChart({ seconds }: CompressionReport): Markup {
  const stages = Object.entries(seconds.byStage).filter(
    ([, spent]) => spent >= 0.005 * seconds.total,
  );
  return figure(
    {
      title: 'Where the time went',
      label: stages.map(([stage, spent]) => `${stage}: ${spent.toFixed(1)} s`).join('; '),
      note: `${duration(seconds.total)} in all, in the order of the work.`,
      span: 'half',
    },
    () => ({
      height: 60 + 24 * stages.length,
      option: {
        grid: { left: 90, right: 50, top: 6, bottom: 46 },
        xAxis: valueAxis('seconds'),
        yAxis: rowAxis(stages.map(([stage]) => stage)),
        series: [
          {
            ...{ type: 'bar', silent: true, barWidth: 12 },
            itemStyle: { color: INK.accent, borderRadius: 2 },
            label: {
              ...{ show: true, position: 'right', color: INK.soft },
              formatter: ({ value }: { value: number }) => value.toFixed(value < 10 ? 1 : 0),
            },
            data: stages.map(([, spent]) => spent),
          },
        ],
      },
    }),
  );
}
