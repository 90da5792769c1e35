import { Table } from '@mantine/core';
import type { PreviewedAssignment } from '../api/types';
import { bytes, milliseconds, percent } from '../parts/format';
import { Told } from '../parts/tone';

/** Every candidate on one device: what it would cost there, and what excludes it. */
export function Options({
  options,
  chosen,
}: {
  options: PreviewedAssignment['options'];
  chosen: string | null;
}) {
  if (options.length === 0) {
    return <p className="soft">The device has not measured itself, so nothing can be said.</p>;
  }
  return (
    <Table>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Candidate</Table.Th>
          <Table.Th className="number">Accuracy</Table.Th>
          <Table.Th className="number">Latency, from to</Table.Th>
          <Table.Th className="number">Memory</Table.Th>
          <Table.Th className="number">Storage</Table.Th>
          <Table.Th className="number">Sent</Table.Th>
          <Table.Th>Fits</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {options.map((option) => (
          <Table.Tr
            key={option.candidateId}
            data-chosen={option.candidateId === chosen || undefined}
          >
            <Table.Td>
              <span className="mono">{option.candidateId}</span> {option.precision}
            </Table.Td>
            <Table.Td className="number">
              {option.accuracy === null ? '–' : percent(option.accuracy, 2)}
            </Table.Td>
            <Table.Td className="number">
              {milliseconds(option.latencyMs.predicted)}
              <span className="soft">
                {' '}
                ({option.latencyMs.low.toFixed(2)}–{option.latencyMs.high.toFixed(2)})
              </span>
            </Table.Td>
            <Table.Td className="number">{bytes(option.ramBytes)}</Table.Td>
            <Table.Td className="number">{bytes(option.storageBytes)}</Table.Td>
            <Table.Td className="number">{bytes(option.transferBytes)}</Table.Td>
            <Table.Td className="wrap">
              {option.excludedBy ?? (
                <Told tone="good">{option.candidateId === chosen ? 'chosen' : 'fits'}</Told>
              )}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
