import type { CompressionReport } from '@espalier/compression';
import { count } from '../../output/figures.js';
import {
  type Drawing,
  figure,
  INK,
  nameRoom,
  NARROW,
  rowAxis,
  shortName,
  valueAxis,
} from './chart.js';
import { html, type Markup } from './markup.js';

/** Groups that one chart shows; of more, those that lost the largest share. */
const MOST_GROUPS = 48;

const ROW = 22;

interface Group {
  readonly name: string;
  readonly of: number;
  readonly kept: number;
}

function shownGroups(report: CompressionReport): { groups: Group[]; all: number } {
  const all = Object.entries(report.variant.groups).map(([name, { of, kept }]) => ({
    ...{ name, of },
    kept: kept.length,
  }));
  const cutMost = [...all].sort((a, b) => a.kept / a.of - b.kept / b.of).slice(0, MOST_GROUPS);
  return { groups: all.filter((group) => cutMost.includes(group)), all: all.length };
}

/** Channels of each group, before and after. */
export function widthChart(report: CompressionReport): Markup {
  const { groups, all } = shownGroups(report);
  const part =
    groups.length < all ? `The ${groups.length} cut most of ${all} groups` : `${all} groups`;
  return figure(
    {
      title: 'Widths before and after',
      label: groups.map(({ name, of, kept }) => `${name}: ${kept} of ${of} channels`).join('; '),
      note: `${part} of channels that are cut together, in the order of the network. Pale: as it was; full: kept.`,
      span: 'half',
    },
    (width) => drawWidths(groups, width),
  );
}

function drawWidths(groups: readonly Group[], width: number): Drawing {
  const room = nameRoom(width);
  const bars = { type: 'bar', silent: true, barWidth: 12, barGap: '-100%' };
  return {
    height: 60 + ROW * groups.length,
    option: {
      grid: { left: room + 10, right: width <= NARROW ? 74 : 84, top: 6, bottom: 46 },
      xAxis: valueAxis('channels', { minInterval: 1 }),
      yAxis: rowAxis(groups.map(({ name }) => shortName(name, width))),
      series: [
        {
          ...bars,
          itemStyle: { color: INK.track, borderRadius: 2 },
          data: groups.map(({ of }) => of),
          label: {
            show: true,
            position: 'right',
            color: INK.soft,
            formatter: ({ dataIndex }: { dataIndex: number }) => keptOf(groups[dataIndex]),
          },
        },
        {
          ...bars,
          itemStyle: { color: INK.accent, borderRadius: 2 },
          data: groups.map(({ kept }) => kept),
          z: 3,
        },
      ],
    },
  };
}

const keptOf = (group: Group | undefined): string =>
  group ? `${count(group.kept)} of ${count(group.of)}` : '';

/** Upper ends of the classes that losses are coloured by; the last is open. */
const LOSS_STEPS = [0.001, 0.003, 0.01, 0.03, 0.1] as const;

/** What each group would cost if it alone were cut, and where it was cut. */
export function sensitivityChart(report: CompressionReport): Markup {
  const { groups } = shownGroups(report);
  const rows = groups.flatMap((group) => {
    const points = report.sensitivity.find((entry) => entry.group === group.name)?.points ?? [];
    return points.length > 1 ? [{ ...group, points }] : [];
  });
  const unit = report.fidelity.meanKl === undefined ? 'of the variance' : 'nats';
  const steps = LOSS_STEPS.map((step, i) => swatch(i, `under ${step}`));
  return figure(
    {
      title: 'Sensitivity',
      label: rows
        .map(
          ({ name, points }) =>
            `${name}: loss ${points[points.length - 1]?.loss.toFixed(4)} at its narrowest`,
        )
        .join('; '),
      note: html`What the output would change, in ${unit}, if one group alone were cut and the
        layers that read it refitted. The mark: where it was cut.
        <span class="swatches">${steps}${swatch(LOSS_STEPS.length, 'more')}</span>`,
      span: 'half',
    },
    (width) => drawSensitivity(rows, width),
  );
}

const swatch = (level: number, text: string): Markup =>
  html`<span><i style="background: var(--loss-${level})"></i>${text}</span>`;

interface SensitiveGroup extends Group {
  readonly points: readonly { kept: number; loss: number }[];
}

function drawSensitivity(rows: readonly SensitiveGroup[], width: number): Drawing {
  const room = nameRoom(width);
  const cells = rows.flatMap(({ points }, row) => cellsOf(points, row));
  return {
    height: 60 + ROW * rows.length,
    option: {
      grid: { left: room + 10, right: 16, top: 6, bottom: 46 },
      xAxis: valueAxis('channels cut, %', { min: 0, max: 100, interval: 25 }),
      yAxis: rowAxis(rows.map(({ name }) => shortName(name, width))),
      series: [
        {
          ...{ type: 'custom', silent: true, data: cells, encode: { x: [0, 1], y: 2 } },
          renderItem: (_: unknown, api: CellApi) => {
            const [x = 0, y = 0] = api.coord([api.value(0), api.value(2)]);
            const [end = 0] = api.coord([api.value(1), api.value(2)]);
            return {
              type: 'rect',
              shape: { x, y: y - 7, width: Math.max(end - x, 1), height: 14 },
              style: { fill: INK.loss[api.value(3)] },
            };
          },
        },
        {
          ...{ type: 'custom', silent: true, z: 4, encode: { x: 0, y: 1 } },
          data: rows.map(({ of, kept }, row) => [100 * (1 - kept / of), row]),
          renderItem: (_: unknown, api: CellApi) => {
            const [x = 0, y = 0] = api.coord([api.value(0), api.value(1)]);
            return {
              type: 'rect',
              shape: { x: x - 2, y: y - 10, width: 4, height: 20, r: 1 },
              style: { fill: INK.text, stroke: INK.page, lineWidth: 1.5 },
            };
          },
        },
      ],
    },
  };
}

/** Stretches of one level of loss: from and to which share cut, the row, the level. */
function cellsOf(points: SensitiveGroup['points'], row: number): number[][] {
  const whole = points[0]?.kept ?? 1;
  const cells: [from: number, to: number, row: number, level: number][] = [];
  points.slice(1).forEach(({ kept, loss }, i) => {
    const cut = 100 * (1 - kept / whole);
    const level = levelOf(loss);
    const last = cells[cells.length - 1];
    if (last?.[3] === level) last[1] = cut;
    else cells.push([100 * (1 - (points[i]?.kept ?? whole) / whole), cut, row, level]);
  });
  return cells;
}

interface CellApi {
  value(dimension: number): number;
  coord(at: readonly number[]): number[];
}

function levelOf(loss: number): number {
  const level = LOSS_STEPS.findIndex((step) => loss < step);
  return level < 0 ? LOSS_STEPS.length : level;
}
