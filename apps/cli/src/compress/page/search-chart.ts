import type { CompressionReport } from '@espalier/compression';
import { figure, INK, legend, valueAxis } from './chart.js';
import type { Markup } from './markup.js';

type Front = NonNullable<CompressionReport['front']>;

/** How many times the variant's loss the chart goes up to: the rest would press it flat. */
const HEADROOM = 6;

/** The front that the search walked: what it predicted, what it built, and what was chosen. */
export function searchChart(front: Front, model: CompressionReport['model']): Markup {
  const share = (macs: number): number => (100 * macs) / Math.max(model.macs, 1);
  const of = (kind: Front['points'][number]['kind']): number[][] =>
    front.points
      .filter((point) => point.kind === kind)
      .map(({ macs, loss }) => [share(macs), loss])
      .sort(([a = 0], [b = 0]) => a - b);
  const [predicted, tried, variant] = [of('predicted'), of('tried'), of('variant')];
  const top = ceilingOf(predicted, variant[0]?.[1] ?? 0);
  const within = (points: number[][]): number[][] => points.filter(([, loss = 0]) => loss <= top);
  const shown = { predicted: within(predicted), tried: within(tried), variant };
  const scatter = (name: string, data: number[][], size: number, style: object): object => ({
    ...{ type: 'scatter', name, silent: true, symbolSize: size, itemStyle: style, data },
  });
  return figure(
    {
      title: 'Pareto front: work against change of the output',
      label: variant
        .map(
          ([macs = 0, loss = 0]) =>
            `this variant: ${macs.toFixed(1)} % of the work, change ${loss.toPrecision(3)}; ${shown.predicted.length} predictions and ${shown.tried.length} other candidates around it`,
        )
        .join(),
      note: `What the search could have had instead, by structure alone: the least change that it predicts from single cuts at each amount of work, and the candidates that it built and measured on calibration samples on the way. Change is ${MEASURES[front.measure]}; the original is at 100 % and 0.`,
      span: 'whole',
    },
    () => ({
      height: 320,
      option: {
        grid: { left: 66, right: 24, top: 34, bottom: 50 },
        legend: legend(),
        xAxis: valueAxis('multiply-accumulates, % of the original', {
          min: floorOf([...shown.predicted, ...shown.tried, ...variant]),
          max: 100,
        }),
        yAxis: valueAxis('change of the output', { min: 0, nameGap: 46 }),
        series: [
          {
            ...{ type: 'line', name: 'predicted, not built', silent: true, symbol: 'none', z: 1 },
            lineStyle: { color: INK.soft, width: 1.5, type: 'dashed' },
            itemStyle: { color: INK.soft },
            data: shown.predicted,
          },
          ...(shown.tried.length > 0
            ? [scatter('built and measured', shown.tried, 7, { color: INK.second, opacity: 0.7 })]
            : []),
          scatter('this variant', variant, 14, {
            ...{ color: INK.accent, borderColor: INK.page, borderWidth: 1.5 },
          }),
        ],
      },
    }),
  );
}

const MEASURES: Readonly<Record<Front['measure'], string>> = {
  divergence: 'the divergence of the output in nats',
  'divergence and changed decisions':
    'the divergence of the output in nats plus the share of changed decisions',
  'squared error': 'the squared error of the output over its variance',
};

/** Loss up to which the chart shows: around the variant, but never less than the first predictions. */
function ceilingOf(predicted: number[][], variant: number): number {
  const losses = predicted.map(([, loss = 0]) => loss).filter((loss) => loss > 0);
  losses.sort((a, b) => a - b);
  return Math.max(HEADROOM * variant, losses[Math.min(5, losses.length - 1)] ?? 0, 1e-6);
}

/** Share of the work at which the chart begins, in tens. */
function floorOf(points: number[][]): number {
  const least = Math.min(100, ...points.map(([macs = 0]) => macs));
  return Math.max(0, Math.floor(least / 10 - 0.2) * 10);
}
