import { useMemo } from 'react';
import type { Candidate, Report } from '../api/types';
import { Bar } from '../parts/bar';
import { Chart, legend, tooltip, valueAxis, type Drawing } from '../parts/chart';
import { bytes, percent, points, short, whole } from '../parts/format';
import { Facts, Part, Tile, Tiles } from '../parts/page';

/** What one candidate is made of, what it costs and what it keeps. */
export function CandidateDetail({ candidate }: { candidate: Candidate }) {
  const { id, report, artifact, model } = candidate;
  const { variant, quality, fidelity } = report;
  return (
    <Part
      title={`Candidate ${id}`}
      note={`${variant.precision}, weights as ${variant.numerics.weight}`}
    >
      <div className="column">
        <Tiles>
          {quality ? (
            <Tile
              name="Accuracy"
              note={`${points(quality.after - quality.before)} (95 %: ${points(quality.interval[0] as number)} to ${points(quality.interval[1] as number)}), ${whole(quality.samples)} samples`}
            >
              {percent(quality.after, 2)}
            </Tile>
          ) : (
            <Tile name="Agreement" note={`with the model, ${whole(fidelity.samples)} samples`}>
              {percent(fidelity.agreement, 2)}
            </Tile>
          )}
          <Tile name="Multiplications" note={percentOf(variant.macs, report.model.macs)}>
            {short(variant.macs)}
          </Tile>
          <Tile
            name="Sent"
            note={`${percentOf(artifact.bytes, report.model.bytes)}, ${artifact.encoding}`}
          >
            {bytes(artifact.bytes)}
          </Tile>
          <Tile
            name="Peak memory"
            note={percentOf(variant.peakRamBytes, report.model.peakRamBytes)}
          >
            {bytes(variant.peakRamBytes)}
          </Tile>
        </Tiles>
        <div className="two">
          <Widths groups={variant.groups} removed={variant.removedBlocks} />
          {quality && <ByClass classes={quality.byClass} />}
          {report.stages.length > 0 && <Stages stages={report.stages} />}
          <Facts
            facts={[
              [
                'Model, sha256',
                <span key="m" className="mono">
                  {model.sha256}
                </span>,
              ],
              [
                'Artifact, sha256',
                <span key="a" className="mono">
                  {artifact.sha256}
                </span>,
              ],
              ['Weights that are zero', percent(variant.sparsity)],
              ['Layers left in floating point', variant.islands.length],
              ['Made in', `${report.seconds.total.toFixed(1)} s`],
            ]}
          />
        </div>
      </div>
    </Part>
  );
}

const percentOf = (part: number, of: number): string => `${percent(part / of)} of the model’s`;

/** Every group of channels that are cut together, with how many were kept. */
function Widths({
  groups,
  removed,
}: {
  groups: Report['variant']['groups'];
  removed: readonly string[];
}) {
  const entries = Object.entries(groups);
  return (
    <section aria-label="Layers and widths">
      <h3>Layers and widths</h3>
      <p className="soft small-print">
        Channels kept of those there were, by the first layer of each group
        {removed.length > 0 ? `; ${removed.length} blocks were removed whole` : ''}.
      </p>
      <div className="widths" tabIndex={0} role="group" aria-label="Channels kept by group">
        {entries.map(([name, { of, kept }]) => (
          <div key={name} style={{ display: 'contents' }}>
            <span className="mono" title={name}>
              {name}
            </span>
            <Bar
              parts={[{ tone: kept.length === of ? 'idle' : 'good', share: kept.length / of }]}
            />
            <span>
              {kept.length} / {of}
            </span>
          </div>
        ))}
      </div>
    </section>
  );
}

function ByClass({ classes }: { classes: NonNullable<Report['quality']>['byClass'] }) {
  const drawing = useMemo(
    (): Drawing => (ink) => ({
      grid: { left: 92, right: 16, top: 30, bottom: 26 },
      legend: legend(ink),
      tooltip: {
        ...tooltip(ink),
        trigger: 'axis',
        valueFormatter: (value: unknown) => `${Number(value).toFixed(1)} %`,
      },
      xAxis: {
        ...valueAxis(ink, ''),
        ...{ min: 0, max: 100 },
        axisLabel: { color: ink.soft, formatter: '{value} %' },
      },
      yAxis: {
        ...{ type: 'category', inverse: true, data: classes.map(({ label }) => label) },
        axisLabel: { color: ink.soft, width: 84, overflow: 'truncate' },
        axisLine: { lineStyle: { color: ink.rule } },
        axisTick: { show: false },
      },
      series: (['before', 'after'] as const).map((when) => ({
        ...{ type: 'bar', name: when, barGap: '15%' },
        itemStyle: { color: when === 'before' ? ink.soft : ink.first, borderRadius: 2 },
        data: classes.map((one) => 100 * one[when]),
      })),
    }),
    [classes],
  );
  return (
    <section aria-label="Accuracy by class">
      <h3>Accuracy by class</h3>
      <Chart
        label={`Accuracy by class: ${classes.map(({ label, after }) => `${label} ${percent(after)}`).join(', ')}`}
        drawing={drawing}
        height={Math.min(420, 70 + 34 * classes.length)}
      />
    </section>
  );
}

function Stages({ stages }: { stages: Report['stages'] }) {
  return (
    <section aria-label="How it was made">
      <h3>How it was made</h3>
      <p className="soft small-print">
        What it kept after each stage, on calibration samples that were not fitted to.
      </p>
      <Facts
        facts={stages.map(
          ({ name, accuracy, loss, kept }) =>
            [
              name,
              `${accuracy === null ? `loss ${loss.toPrecision(3)}` : percent(accuracy, 2)}${kept ? '' : ', undone: it did harm'}`,
            ] as const,
        )}
      />
    </section>
  );
}
