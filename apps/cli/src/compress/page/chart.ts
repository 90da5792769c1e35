import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent } from 'echarts/components';
import { init, use, type EChartsCoreOption } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { html, Markup } from './markup.js';

use([
  ...[BarChart, CustomChart, LineChart, ScatterChart],
  ...[GridComponent, LegendComponent, SVGRenderer],
]);

/** A chart for one width of the page. */
export interface Drawing {
  readonly height: number;
  readonly option: EChartsCoreOption;
}

/** Colours are the page's, so that one drawing serves light and dark. */
export const INK = {
  text: 'var(--ink)',
  soft: 'var(--soft)',
  rule: 'var(--rule)',
  track: 'var(--track)',
  page: 'var(--card)',
  accent: 'var(--accent)',
  second: 'var(--second)',
  loss: [0, 1, 2, 3, 4, 5].map((level) => `var(--loss-${level})`),
} as const;

/** Widths that charts are drawn for: a telephone, half a page and a whole one. */
export const NARROW = 340;
const WIDE = { half: 500, whole: 1040 } as const;

/**
 * A chart with its title: drawn for a narrow page and for a wide one, which the style sheet chooses
 * between, so that its text keeps its size.
 */
export function figure(
  { title, label, note, span }: FigureText,
  draw: (width: number) => Drawing,
): Markup {
  const drawn = (width: number): Markup => new Markup(svg(width, draw(width)));
  return html`<figure class="${span}">
    <figcaption>
      <h3>${title}</h3>
      ${note}
    </figcaption>
    <div class="chart wide" role="img" aria-label="${label}">${drawn(WIDE[span])}</div>
    <div class="chart narrow" role="img" aria-label="${label}">${drawn(NARROW)}</div>
  </figure>`;
}

export interface FigureText {
  readonly title: string;
  /** What the chart shows, for those who do not see it. */
  readonly label: string;
  readonly note: Markup | string;
  readonly span: keyof typeof WIDE;
}

function svg(width: number, { height, option }: Drawing): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'inherit', color: INK.soft },
      ...option,
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/** An axis of figures with its name below or above it. */
export function valueAxis(name: string, more: object = {}): object {
  return {
    type: 'value',
    name,
    nameLocation: 'middle',
    nameGap: 30,
    nameTextStyle: { color: INK.soft },
    axisLabel: { color: INK.soft, hideOverlap: true },
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: INK.rule } },
    ...more,
  };
}

/** An axis with a row for each name, the first on top. */
export function rowAxis(names: readonly string[], more: object = {}): object {
  return {
    type: 'category',
    data: [...names],
    inverse: true,
    axisLabel: { color: INK.text, interval: 0 },
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { show: false },
    ...more,
  };
}

/** Names of the series, above the chart. */
export const legend = (): object => ({
  ...{ top: 0, right: 8, itemGap: 18, selectedMode: false },
  textStyle: { color: INK.soft },
});

/** Room for the names of rows. */
export const nameRoom = (width: number): number => (width <= NARROW ? 112 : 200);

/** Signs of a row's name that fit its room. */
const nameSigns = (width: number): number => (width <= NARROW ? 15 : 28);

/** A tensor's name as short as it stays telling: its ends, where it is long. */
export function shortName(name: string, width: number): string {
  const path = name.replace(/(_output_0|:0)$/, '').replace(/^\/+/, '');
  // Exporters end the path of a module with the operator, which every row would repeat.
  const bare = path.replace(/\/(Conv|ConvTranspose|Gemm|MatMul)$/, '');
  const signs = nameSigns(width);
  if (bare.length <= signs) return bare;
  const tail = Math.ceil((signs - 1) / 2);
  return `${bare.slice(0, signs - 1 - tail)}…${bare.slice(-tail)}`;
}
