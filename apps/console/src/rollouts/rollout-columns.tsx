import { Link } from 'react-router';
import type { RolloutSummary } from '../api/types';
import { Ago } from '../parts/ago';
import type { Column } from '../parts/data-table';
import { instant } from '../parts/format';
import { RolloutWord } from '../parts/tone';

/** What a list of rollouts may say of each. */
export const ROLLOUT_COLUMNS = {
  model: {
    name: 'Model',
    show: ({ id, model, version }) => (
      <Link to={`/rollouts/${id}`}>
        {model} v{version}
      </Link>
    ),
  },
  status: { name: 'Status', show: ({ status }) => <RolloutWord status={status} /> },
  id: { name: 'Rollout', kind: 'mono', show: ({ id }) => id },
  release: { name: 'Release', kind: 'mono', show: ({ releaseId }) => releaseId },
  made: { name: 'Made', show: ({ createdAt }) => instant(createdAt) },
  changed: { name: 'Changed', show: ({ updatedAt }) => <Ago at={updatedAt} /> },
} satisfies Readonly<Record<string, Column<RolloutSummary>>>;
