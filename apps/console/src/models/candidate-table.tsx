import { Table } from '@mantine/core';
import type { Candidate } from '../api/types';
import { bytes, percent, short } from '../parts/format';
import { Part } from '../parts/page';
import { isLabelled, keptOf } from './front';

/** The candidates in figures; the first column chooses one. */
export function CandidateTable({
  candidates,
  front,
  chosen,
  choose,
}: {
  candidates: readonly Candidate[];
  front: ReadonlySet<string>;
  chosen: string | null;
  choose: (id: string) => void;
}) {
  return (
    <Part title="Candidates" note={`${front.size} of ${candidates.length} on the front`} flush>
      <div className="scroller tall" tabIndex={0} role="region" aria-label="Candidates in figures">
        <Table stickyHeader highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Candidate</Table.Th>
              <Table.Th className="number">
                {isLabelled(candidates) ? 'Accuracy' : 'Agreement'}
              </Table.Th>
              <Table.Th className="number">MACs</Table.Th>
              <Table.Th className="number">Sent</Table.Th>
              <Table.Th className="number">Memory</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {candidates.map((candidate) => {
              const { id, report, artifact } = candidate;
              return (
                <Table.Tr key={id} data-chosen={id === chosen || undefined}>
                  <Table.Td>
                    <label className="pick">
                      <input
                        type="radio"
                        name="candidate"
                        checked={id === chosen}
                        onChange={() => choose(id)}
                      />
                      <span>
                        <span className="mono">{id}</span>
                        <span className="soft small">
                          {report.variant.precision}
                          {front.has(id) ? ', on the front' : ''}
                        </span>
                      </span>
                    </label>
                  </Table.Td>
                  <Table.Td className="number">{percent(keptOf(candidate), 2)}</Table.Td>
                  <Table.Td className="number">{short(report.variant.macs)}</Table.Td>
                  <Table.Td className="number">{bytes(artifact.bytes)}</Table.Td>
                  <Table.Td className="number">{bytes(report.variant.peakRamBytes)}</Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </div>
    </Part>
  );
}
