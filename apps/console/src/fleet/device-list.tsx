import { Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useQueries, useQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useLayoutEffect, useMemo, useRef } from 'react';
import { Link } from 'react-router';
import { noteScrolling } from '../api/live';
import { PAGE_OF_DEVICES, queries, type FleetFilter } from '../api/queries';
import type { Device } from '../api/types';
import { Ago } from '../parts/ago';
import { BudgetText } from '../parts/budget';
import { some } from '../parts/format';
import { Labels } from '../parts/labels';
import { Empty, Failed, Waiting } from '../parts/states';
import { DeviceStateWord, Told } from '../parts/tone';

const ROW = { wide: 52, narrow: 92 } as const;
const BEYOND = 8;

/** The devices that match, however many: only those in sight are drawn, and only they are asked for. */
export function DeviceList({ filter }: { filter: FleetFilter }) {
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  const scroller = useRef<HTMLDivElement>(null);
  const first = useQuery(queries.devices(filter, 0));
  const total = first.data?.total ?? 0;
  const height = narrow ? ROW.narrow : ROW.wide;
  const rows = useVirtualizer({
    count: total,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: BEYOND,
  });
  // A screen that was turned has rows of another height; the list asks for it only once.
  useLayoutEffect(() => rows.measure(), [rows, height]);
  const items = rows.getVirtualItems();
  const pages = [...new Set(items.map(({ index }) => Math.floor(index / PAGE_OF_DEVICES)))];
  const releaseNames = useReleaseNames();
  const answers = useQueries({ queries: pages.map((page) => queries.devices(filter, page)) });
  const deviceAt = (index: number): Device | undefined => {
    const at = pages.indexOf(Math.floor(index / PAGE_OF_DEVICES));
    const answer = answers[at];
    return answer?.isPlaceholderData ? undefined : answer?.data?.devices[index % PAGE_OF_DEVICES];
  };
  if (first.error) return <Failed error={first.error} retry={() => void first.refetch()} />;
  if (!first.data) return <Waiting what="the fleet" />;
  if (total === 0) {
    return (
      <Empty title="No device matches">
        Take a filter away, or look for another part of the name.
      </Empty>
    );
  }
  return (
    <>
      <div role="table" aria-label="Devices" aria-rowcount={total + 1}>
        <div role="row" className="device-row head" aria-rowindex={1}>
          {['Device', 'State', 'Labels', 'Own budget', 'Running', 'Seen'].map((name) => (
            <div role="columnheader" key={name}>
              {name}
            </div>
          ))}
        </div>
        <div
          className="device-scroller"
          ref={scroller}
          tabIndex={0}
          role="rowgroup"
          onScroll={noteScrolling}
        >
          <div style={{ height: rows.getTotalSize(), position: 'relative' }} role="presentation">
            {items.map(({ key, index, start, size }) => {
              const device = deviceAt(index);
              const release = releaseNames.get(device?.running?.releaseId ?? '');
              return <DeviceRow key={key} {...{ device, release, index, start, size }} />;
            })}
          </div>
        </div>
      </div>
      <Text size="sm" c="dimmed" px="md" py="xs" role="status">
        {some(total, 'device')}
      </Text>
    </>
  );
}

/** `model v2` of each release that was rolled out. */
function useReleaseNames(): ReadonlyMap<string, string> {
  const { data } = useQuery(queries.rollouts());
  return useMemo(
    () =>
      new Map(
        data?.rollouts.map(({ releaseId, model, version }) => [releaseId, `${model} v${version}`]),
      ),
    [data],
  );
}

/** Drawn anew when it shows something else, not for every row that scrolling brings. */
const DeviceRow = memo(function DeviceRow({
  device,
  release,
  index,
  start,
  size,
}: {
  device: Device | undefined;
  /** What the release that it runs is called. */
  release: string | undefined;
  index: number;
  start: number;
  size: number;
}) {
  const style = { transform: `translateY(${start}px)`, height: size };
  if (!device) {
    return (
      <div role="row" className="device-row placed" style={style} aria-rowindex={index + 2}>
        <div role="cell" className="soft">
          …
        </div>
      </div>
    );
  }
  const { id, name, state, labels, budget, running, quarantinedAt, seenAt } = device;
  return (
    <div role="row" className="device-row placed" style={style} aria-rowindex={index + 2}>
      <div role="cell" className="cell-name">
        <Link to={`/fleet/${id}`}>{name}</Link>
        <span className="soft small">{id}</span>
      </div>
      <div role="cell" className="cell-state">
        {quarantinedAt ? <Told tone="bad">quarantined</Told> : <DeviceStateWord state={state} />}
      </div>
      <div role="cell" className="cell-labels">
        <Labels labels={labels} />
      </div>
      <div role="cell" className="cell-budget">
        <BudgetText budget={budget} />
      </div>
      <div role="cell" className="cell-running">
        {running ? release : <span className="soft">nothing</span>}
        {running && <span className="soft small mono">{running.variantId}</span>}
      </div>
      <div role="cell" className="cell-seen">
        {seenAt ? <Ago at={seenAt} /> : 'never'}
      </div>
    </div>
  );
});
