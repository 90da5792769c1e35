import { Table } from '@mantine/core';
import { Link } from 'react-router';
import type { RolloutSummary } from '../api/types';
import { Ago } from '../parts/ago';
import { Empty } from '../parts/states';
import { RolloutWord } from '../parts/tone';

const SHOWN = 6;

/** The newest rollouts. */
export function RunningRollouts({ rollouts }: { rollouts: readonly RolloutSummary[] }) {
  if (rollouts.length === 0) {
    return <Empty title="Nothing was rolled out yet">A rollout begins with a plan.</Empty>;
  }
  return (
    <div className="scroller">
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Model</Table.Th>
            <Table.Th>Status</Table.Th>
            <Table.Th>Changed</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rollouts.slice(0, SHOWN).map(({ id, model, version, status, updatedAt }) => (
            <Table.Tr key={id}>
              <Table.Td>
                <Link to={`/rollouts/${id}`}>
                  {model} v{version}
                </Link>
              </Table.Td>
              <Table.Td>
                <RolloutWord status={status} />
              </Table.Td>
              <Table.Td>
                <Ago at={updatedAt} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
