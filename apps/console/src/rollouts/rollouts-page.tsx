import { Button, Paper } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import type { RolloutSummary } from '../api/types';
import { DataTable, type Column } from '../parts/data-table';
import { Page } from '../parts/page';
import { Answer, Empty } from '../parts/states';
import { ROLLOUT_COLUMNS } from './rollout-columns';

const COLUMNS: readonly Column<RolloutSummary>[] = Object.values(ROLLOUT_COLUMNS);

/** Every rollout, the newest first. */
export default function RolloutsPage() {
  const rollouts = useQuery(queries.rollouts());
  const plan = (
    <Button component={Link} to="/plan">
      Begin with a plan
    </Button>
  );
  return (
    <Page title="Rollouts" actions={rollouts.data?.rollouts.length ? plan : null}>
      <Paper withBorder className="part">
        <Answer query={rollouts} what="the rollouts">
          {({ rollouts: all }) =>
            all.length === 0 ? (
              <Empty title="Nothing was rolled out yet" action={plan}>
                A plan says what each device would get; a release closes the set of variants; a
                rollout takes it to the devices in stages.
              </Empty>
            ) : (
              <DataTable
                label="Rollouts, the newest first"
                rows={all}
                keyOf={({ id }) => id}
                columns={COLUMNS}
              />
            )
          }
        </Answer>
      </Paper>
    </Page>
  );
}
