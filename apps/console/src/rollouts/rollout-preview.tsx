import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api, taken } from '../api/client';
import type { RolloutPreview, RolloutRequest } from '../api/types';
import { DataTable, type Column } from '../parts/data-table';
import { bytes, duration, percent, some, whole } from '../parts/format';
import { Part, Tile, Tiles } from '../parts/page';
import { Answer } from '../parts/states';

const STAGE_COLUMNS: readonly Column<RolloutPreview['stages'][number]>[] = [
  { name: 'Stage', show: ({ name }) => name },
  { name: 'Devices', kind: 'number', show: ({ devices }) => whole(devices) },
  { name: 'Sent', kind: 'number', show: (stage) => bytes(stage.bytes) },
  { name: 'At least', kind: 'number', show: ({ seconds }) => duration(seconds) },
];

const VARIANT_COLUMNS: readonly Column<RolloutPreview['variants'][number]>[] = [
  {
    name: 'Variant',
    show: ({ variantId, precision }) => (
      <>
        <span className="mono">{variantId}</span> <span className="soft">{precision}</span>
      </>
    ),
  },
  { name: 'Devices', kind: 'number', show: ({ devices }) => whole(devices) },
  { name: 'Size', kind: 'number', show: ({ artifactBytes }) => bytes(artifactBytes) },
  {
    name: 'Accuracy',
    kind: 'number',
    show: ({ expectedAccuracy }) =>
      expectedAccuracy === null ? '–' : percent(expectedAccuracy, 2),
  },
];

/** What the rollout would do, before it is written. */
export function RolloutPreviewPart({ request }: { request: RolloutRequest }) {
  const preview = useQuery({
    queryKey: ['rollout-preview', request],
    queryFn: () => taken(api.POST('/api/v1/rollouts/preview', { body: request })),
    placeholderData: keepPreviousData,
  });
  return (
    <Part title="What it would do" note="Nothing is written yet.">
      <Answer query={preview} what="the preview">
        {(found) => <Previewed preview={found} />}
      </Answer>
    </Part>
  );
}

function Previewed({ preview }: { preview: RolloutPreview }) {
  const { devices, controls, variants, stages, seconds, deviceSeconds, expectedAccuracy, misfits } =
    preview;
  return (
    <div className="column">
      <Tiles>
        <Tile name="Devices" note={controls > 0 ? `${whole(controls)} held back` : undefined}>
          {whole(devices)}
        </Tile>
        <Tile name="Sent" note="at most, to each device by itself">
          {bytes(preview.bytes)}
        </Tile>
        <Tile
          name="Takes at least"
          note={
            deviceSeconds === null
              ? 'no device was timed yet'
              : `${duration(deviceSeconds)} a device`
          }
        >
          {duration(seconds)}
        </Tile>
        <Tile
          name="Accuracy expected"
          note={expectedAccuracy ? `${percent(expectedAccuracy.before, 2)} before` : 'not measured'}
        >
          {expectedAccuracy ? percent(expectedAccuracy.after, 2) : '–'}
        </Tile>
      </Tiles>
      <DataTable
        label="What each stage would do"
        rows={stages}
        keyOf={({ name }) => name}
        columns={STAGE_COLUMNS}
      />
      <DataTable
        label="Which variants are sent"
        rows={variants}
        keyOf={({ variantId }) => variantId}
        columns={VARIANT_COLUMNS}
      />
      {misfits.length > 0 && (
        <div className="notice wait">
          <strong>{some(misfits.length, 'device')} left out</strong>
          <ul className="plain-list">
            {misfits.slice(0, 10).map(({ deviceId, why }) => (
              <li key={deviceId}>
                {deviceId}: {why}
              </li>
            ))}
            {misfits.length > 10 && <li>and {whole(misfits.length - 10)} more</li>}
          </ul>
        </div>
      )}
    </div>
  );
}
