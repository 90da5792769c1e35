import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import type { TargetOfDevice } from '../api/types';
import { DataTable, type Column } from '../parts/data-table';
import { bytes, instant } from '../parts/format';
import { Part } from '../parts/page';
import { Answer, Empty } from '../parts/states';

const COLUMNS: readonly Column<TargetOfDevice>[] = [
  { name: 'No.', kind: 'number', show: ({ generation }) => generation },
  { name: 'When', show: ({ createdAt }) => instant(createdAt) },
  { name: 'What', show: ({ purpose }) => (purpose === 'revert' ? 'taken back' : 'update') },
  {
    name: 'Model',
    show: ({ model, version }) => (
      <>
        {model} v{version}
      </>
    ),
  },
  {
    name: 'Variant',
    kind: 'mono',
    show: ({ modelId, variantId }) =>
      modelId ? (
        <Link to={`/models/${modelId}?candidate=${variantId}`}>{variantId}</Link>
      ) : (
        variantId
      ),
  },
  { name: 'Sent', kind: 'number', show: ({ sentBytes }) => bytes(sentBytes) },
  {
    name: 'By rollout',
    kind: 'mono',
    show: ({ rolloutId }) => rolloutId && <Link to={`/rollouts/${rolloutId}`}>{rolloutId}</Link>,
  },
];

/** Everything that the device was told to run. */
export function DeviceHistory({ id }: { id: string }) {
  const targets = useQuery(queries.targets(id));
  return (
    <Part title="History" note="What it was told to run, the newest first." flush>
      <Answer query={targets} what="the history">
        {({ targets: all }) =>
          all.length === 0 ? (
            <Empty title="It was told to run nothing yet">A rollout tells it.</Empty>
          ) : (
            <DataTable
              label="What the device was told to run"
              rows={all}
              keyOf={({ generation }) => String(generation)}
              columns={COLUMNS}
            />
          )
        }
      </Answer>
    </Part>
  );
}
