import type { Candidate } from '../api/types';
import { DataTable } from '../parts/data-table';
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
      <DataTable
        label="Candidates in figures"
        tall
        rows={candidates}
        keyOf={({ id }) => id}
        chosen={chosen}
        columns={[
          {
            name: 'Candidate',
            show: ({ id, report }) => (
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
            ),
          },
          {
            name: isLabelled(candidates) ? 'Accuracy' : 'Agreement',
            kind: 'number',
            show: (candidate) => percent(keptOf(candidate), 2),
          },
          { name: 'MACs', kind: 'number', show: ({ report }) => short(report.variant.macs) },
          { name: 'Sent', kind: 'number', show: ({ artifact }) => bytes(artifact.bytes) },
          {
            name: 'Memory',
            kind: 'number',
            show: ({ report }) => bytes(report.variant.peakRamBytes),
          },
        ]}
      />
    </Part>
  );
}
