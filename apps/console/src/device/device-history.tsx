import { Table } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import { bytes, instant } from '../parts/format';
import { Part } from '../parts/page';
import { Answer, Empty } from '../parts/states';

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
            <div className="scroller">
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th className="number">No.</Table.Th>
                    <Table.Th>When</Table.Th>
                    <Table.Th>What</Table.Th>
                    <Table.Th>Model</Table.Th>
                    <Table.Th>Variant</Table.Th>
                    <Table.Th className="number">Sent</Table.Th>
                    <Table.Th>By rollout</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {all.map((target) => (
                    <Table.Tr key={target.generation}>
                      <Table.Td className="number">{target.generation}</Table.Td>
                      <Table.Td>{instant(target.createdAt)}</Table.Td>
                      <Table.Td>{target.purpose === 'revert' ? 'taken back' : 'update'}</Table.Td>
                      <Table.Td>
                        {target.model} v{target.version}
                      </Table.Td>
                      <Table.Td className="mono">{target.variantId}</Table.Td>
                      <Table.Td className="number">{bytes(target.sentBytes)}</Table.Td>
                      <Table.Td className="mono">
                        {target.rolloutId && (
                          <Link to={`/rollouts/${target.rolloutId}`}>{target.rolloutId}</Link>
                        )}
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          )
        }
      </Answer>
    </Part>
  );
}
