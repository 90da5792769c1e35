import { useComputedColorScheme } from '@mantine/core';
import { BarChart, LineChart, ScatterChart } from 'echarts/charts';
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TooltipComponent,
} from 'echarts/components';
import { init, use, type EChartsType } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { useEffect, useRef } from 'react';

use([
  AriaComponent,
  BarChart,
  GridComponent,
  LegendComponent,
  LineChart,
  MarkLineComponent,
  ScatterChart,
  SVGRenderer,
  TooltipComponent,
]);

/** Colours of a chart in the scheme that is on. */
export interface Ink {
  readonly text: string;
  readonly soft: string;
  readonly rule: string;
  readonly card: string;
  readonly first: string;
  readonly second: string;
  readonly third: string;
  /** For what follows those three. */
  readonly others: readonly string[];
}

/** Colour of a line by its place. */
export const inkOf = ({ first, second, third, others }: Ink, at: number): string => {
  const inks = [first, second, third, ...others];
  return inks[at % inks.length] ?? first;
};

const INKS: Readonly<Record<'light' | 'dark', Ink>> = {
  light: {
    text: '#1c2421',
    soft: '#55625d',
    rule: '#dfe6e2',
    card: '#ffffff',
    first: '#17795e',
    second: '#b4541a',
    third: '#1f6fb2',
    others: ['#7a4bb0', '#a3245f', '#5b6b00'],
  },
  dark: {
    text: '#e8eeeb',
    soft: '#a8b6b0',
    rule: '#2b3531',
    card: '#1b2320',
    first: '#4cc29c',
    second: '#f0955a',
    third: '#6cb6f5',
    others: ['#b99af0', '#f08bb4', '#c2cc55'],
  },
};

/** What ECharts draws; made anew when the colours change. */
export type Drawing = (ink: Ink) => Record<string, unknown>;

/** A chart with words for those who do not see it. */
export function Chart({
  label,
  height = 260,
  drawing,
  onPick,
}: {
  label: string;
  height?: number;
  drawing: Drawing;
  /** Called with the name of the datum that was clicked. */
  onPick?: (name: string) => void;
}) {
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType | null>(null);
  const pick = useRef(onPick);
  useEffect(() => {
    pick.current = onPick;
  }, [onPick]);
  useEffect(() => {
    const { current } = place;
    if (!current) return;
    const made = init(current, null, { renderer: 'svg' });
    chart.current = made;
    made.on('click', ({ name }) => pick.current?.(name));
    const watcher = new ResizeObserver(() => made.resize());
    watcher.observe(current);
    return () => {
      watcher.disconnect();
      made.dispose();
      chart.current = null;
    };
  }, []);
  useEffect(() => {
    chart.current?.setOption(
      { animationDuration: 200, animationDurationUpdate: 200, ...drawing(INKS[scheme]) },
      { notMerge: true },
    );
  }, [drawing, scheme]);
  return <div ref={place} style={{ height }} role="img" aria-label={label} />;
}

/** A value axis as every chart has it. */
export const valueAxis = (ink: Ink, name: string): Record<string, unknown> => ({
  ...{ type: 'value', scale: true, name, nameLocation: 'middle', nameGap: 42 },
  nameTextStyle: { color: ink.soft },
  axisLabel: { color: ink.soft, hideOverlap: true },
  splitLine: { lineStyle: { color: ink.rule } },
});

/** A box that follows the pointer. */
export const tooltip = (ink: Ink): Record<string, unknown> => ({
  ...{ backgroundColor: ink.card, borderColor: ink.rule, confine: true },
  textStyle: { color: ink.text, fontSize: 13 },
});

export const legend = (ink: Ink): Record<string, unknown> => ({
  ...{ top: 0, right: 0, itemWidth: 14, itemHeight: 8 },
  textStyle: { color: ink.soft },
});
