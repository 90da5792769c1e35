import { Button, Paper, Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import { Ago } from '../parts/ago';
import { instant } from '../parts/format';
import { Page } from '../parts/page';
import { Answer, Empty } from '../parts/states';
import { RolloutWord } from '../parts/tone';

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
              <div className="scroller">
                <Table>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>Model</Table.Th>
                      <Table.Th>Status</Table.Th>
                      <Table.Th>Rollout</Table.Th>
                      <Table.Th>Release</Table.Th>
                      <Table.Th>Made</Table.Th>
                      <Table.Th>Changed</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {all.map((rollout) => (
                      <Table.Tr key={rollout.id}>
                        <Table.Td>
                          <Link to={`/rollouts/${rollout.id}`}>
                            {rollout.model} v{rollout.version}
                          </Link>
                        </Table.Td>
                        <Table.Td>
                          <RolloutWord status={rollout.status} />
                        </Table.Td>
                        <Table.Td className="mono">{rollout.id}</Table.Td>
                        <Table.Td className="mono">{rollout.releaseId}</Table.Td>
                        <Table.Td>{instant(rollout.createdAt)}</Table.Td>
                        <Table.Td>
                          <Ago at={rollout.updatedAt} />
                        </Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </div>
            )
          }
        </Answer>
      </Paper>
    </Page>
  );
}
