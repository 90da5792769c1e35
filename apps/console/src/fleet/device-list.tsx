import { Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useQueries, useQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef } from 'react';
import { Link } from 'react-router';
import { PAGE_OF_DEVICES, queries, type FleetFilter } from '../api/queries';
import type { Device } from '../api/types';
import { Ago } from '../parts/ago';
import { BudgetText } from '../parts/budget';
import { whole } from '../parts/format';
import { Labels } from '../parts/labels';
import { Empty, Failed, Waiting } from '../parts/states';
import { DeviceStateWord, Told } from '../parts/tone';

const ROW = { wide: 52, narrow: 92 } as const;
const BEYOND = 12;

/** The devices that match, however many: only those in sight are drawn, and only they are asked for. */
export function DeviceList({ filter }: { filter: FleetFilter }) {
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  const scroller = useRef<HTMLDivElement>(null);
  const first = useQuery(queries.devices(filter, 0));
  const total = first.data?.total ?? 0;
  const rows = useVirtualizer({
    count: total,
    getScrollElement: () => scroller.current,
    estimateSize: () => (narrow ? ROW.narrow : ROW.wide),
    overscan: BEYOND,
  });
  const items = rows.getVirtualItems();
  const pages = [...new Set(items.map(({ index }) => Math.floor(index / PAGE_OF_DEVICES)))];
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
        <div className="device-scroller" ref={scroller} tabIndex={0} role="rowgroup">
          <div style={{ height: rows.getTotalSize(), position: 'relative' }} role="presentation">
            {items.map(({ key, index, start, size }) => (
              <DeviceRow key={key} {...{ index, start, size }} device={deviceAt(index)} />
            ))}
          </div>
        </div>
      </div>
      <Text size="sm" c="dimmed" px="md" py="xs" role="status">
        {whole(total)} {total === 1 ? 'device' : 'devices'}
      </Text>
    </>
  );
}

function DeviceRow({
  device,
  index,
  start,
  size,
}: {
  device: Device | undefined;
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
      <div role="cell" className="cell-running mono">
        {running ? running.variantId : <span className="soft">nothing</span>}
      </div>
      <div role="cell" className="cell-seen">
        {seenAt ? <Ago at={seenAt} /> : 'never'}
      </div>
    </div>
  );
}
