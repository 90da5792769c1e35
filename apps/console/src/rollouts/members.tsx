import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef } from 'react';
import { Link } from 'react-router';
import type { Rollout } from '../api/types';
import { Ago } from '../parts/ago';
import { bytes } from '../parts/format';
import { Empty } from '../parts/states';
import { MemberWord } from '../parts/tone';

const ROW = 44;
const BEYOND = 10;
const MOST_SEEN = 10;

/** The devices of a rollout, however many: those in sight are drawn. */
export function Members({
  devices,
  stages,
}: {
  devices: Rollout['devices'];
  stages: Rollout['stages'];
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: devices.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: BEYOND,
  });
  if (devices.length === 0) return <Empty title="No device takes part">The plan fits none.</Empty>;
  return (
    <div className="scroller">
      <div
        role="table"
        aria-label="Devices of the rollout"
        aria-rowcount={devices.length + 1}
        className="members"
      >
        <div role="row" className="member head" aria-rowindex={1}>
          {['Device', 'Status', 'Stage', 'Variant', 'Sent', 'Since'].map((name) => (
            <div role="columnheader" key={name}>
              {name}
            </div>
          ))}
        </div>
        <div
          ref={scroller}
          role="rowgroup"
          tabIndex={0}
          style={{ height: ROW * Math.min(MOST_SEEN, devices.length), overflowY: 'auto' }}
        >
          <div role="presentation" style={{ height: rows.getTotalSize(), position: 'relative' }}>
            {rows.getVirtualItems().map(({ index, start }) => {
              const device = devices[index];
              if (!device) return null;
              const { deviceId, status, stage, variantId, sentBytes, since, failure } = device;
              return (
                <div
                  key={deviceId}
                  role="row"
                  aria-rowindex={index + 2}
                  className="member placed"
                  style={{ transform: `translateY(${start}px)`, height: ROW }}
                >
                  <div role="cell">
                    <Link to={`/fleet/${deviceId}`}>{deviceId}</Link>
                  </div>
                  <div role="cell" title={failure?.message}>
                    <MemberWord status={status} />
                    {failure && <span className="mono soft"> {failure.code}</span>}
                  </div>
                  <div role="cell">{stages[stage]?.name ?? stage + 1}</div>
                  <div role="cell" className="mono">
                    {variantId}
                  </div>
                  <div role="cell">{bytes(sentBytes)}</div>
                  <div role="cell">
                    <Ago at={since} />
                  </div>
                </div>
              );
            })}
          </div>
        </div>
      </div>
    </div>
  );
}
