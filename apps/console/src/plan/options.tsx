import type { PreviewedAssignment } from '../api/types';
import { DataTable } from '../parts/data-table';
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
    <DataTable
      label="Candidates on the device"
      rows={options}
      keyOf={({ candidateId }) => candidateId}
      chosen={chosen}
      columns={[
        {
          name: 'Candidate',
          show: ({ candidateId, precision }) => (
            <>
              <span className="mono">{candidateId}</span> <span className="soft">{precision}</span>
            </>
          ),
        },
        {
          name: 'Accuracy',
          kind: 'number',
          show: ({ accuracy }) => (accuracy === null ? '–' : percent(accuracy, 2)),
        },
        {
          name: 'Latency, from to',
          kind: 'number',
          show: ({ latencyMs }) => (
            <>
              {milliseconds(latencyMs.predicted)}
              <span className="soft">
                {' '}
                ({latencyMs.low.toFixed(2)}–{latencyMs.high.toFixed(2)})
              </span>
            </>
          ),
        },
        { name: 'Memory', kind: 'number', show: ({ ramBytes }) => bytes(ramBytes) },
        { name: 'Storage', kind: 'number', show: ({ storageBytes }) => bytes(storageBytes) },
        { name: 'Sent', kind: 'number', show: ({ transferBytes }) => bytes(transferBytes) },
        {
          name: 'Fits',
          kind: 'wrap',
          show: ({ candidateId, excludedBy }) =>
            excludedBy ?? <Told tone="good">{candidateId === chosen ? 'chosen' : 'fits'}</Told>,
        },
      ]}
    />
  );
}
