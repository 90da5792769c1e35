import { Link } from 'react-router';
import type { RolloutSummary } from '../api/types';
import { Ago } from '../parts/ago';
import { DataTable, type Column } from '../parts/data-table';
import { Empty } from '../parts/states';
import { RolloutWord } from '../parts/tone';

const SHOWN = 6;
const COLUMNS: readonly Column<RolloutSummary>[] = [
  {
    name: 'Model',
    show: ({ id, model, version }) => (
      <Link to={`/rollouts/${id}`}>
        {model} v{version}
      </Link>
    ),
  },
  { name: 'Status', show: ({ status }) => <RolloutWord status={status} /> },
  { name: 'Changed', show: ({ updatedAt }) => <Ago at={updatedAt} /> },
];

/** The newest rollouts. */
export function RunningRollouts({ rollouts }: { rollouts: readonly RolloutSummary[] }) {
  if (rollouts.length === 0) {
    return <Empty title="Nothing was rolled out yet">A rollout begins with a plan.</Empty>;
  }
  return (
    <DataTable
      label="The newest rollouts"
      rows={rollouts.slice(0, SHOWN)}
      keyOf={({ id }) => id}
      columns={COLUMNS}
    />
  );
}
