import { Table } from '@mantine/core';
import type { Inspection } from '../api/types';
import { whole } from '../parts/format';
import { Part } from '../parts/page';

/** What of the model can be cut, and what is locked and why. */
export function Structure({ inspection }: { inspection: Inspection }) {
  const prunable = inspection.groups.reduce((sum, group) => sum + group.prunable, 0);
  const channels = inspection.groups.reduce((sum, group) => sum + group.channels, 0);
  const operators = Object.entries(inspection.operators).sort(([, a], [, b]) => b - a);
  return (
    <Part
      title="The trained model"
      note={`${whole(prunable)} of ${whole(channels)} channels may be cut, in ${inspection.groups.length} groups. ${operators.map(([name, count]) => `${count} ${name}`).join(', ')}.`}
      flush
    >
      <div className="scroller tall" tabIndex={0} role="region" aria-label="Groups of channels">
        <Table stickyHeader>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Group</Table.Th>
              <Table.Th className="number">Channels</Table.Th>
              <Table.Th className="number">May be cut</Table.Th>
              <Table.Th>Locked</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {inspection.groups.map(({ name, channels: count, prunable: cut, locked }) => (
              <Table.Tr key={name}>
                <Table.Td className="mono">{name}</Table.Td>
                <Table.Td className="number">{count}</Table.Td>
                <Table.Td className="number">{cut}</Table.Td>
                <Table.Td className="wrap">
                  {locked.map(({ reason, channels: some }) => `${some}: ${reason}`).join('; ')}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </Part>
  );
}
