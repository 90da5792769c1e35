import type { RolloutSummary } from '../api/types';
import { DataTable, type Column } from '../parts/data-table';
import { Empty } from '../parts/states';
import { ROLLOUT_COLUMNS } from '../rollouts/rollout-columns';

const SHOWN = 6;
const { model, status, changed } = ROLLOUT_COLUMNS;
const COLUMNS: readonly Column<RolloutSummary>[] = [model, status, changed];

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
