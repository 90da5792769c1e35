import type { Inspection } from '../api/types';
import { DataTable, type Column } from '../parts/data-table';
import { whole } from '../parts/format';
import { Part } from '../parts/page';

const COLUMNS: readonly Column<Inspection['groups'][number]>[] = [
  { name: 'Group', kind: 'mono', show: ({ name }) => name },
  { name: 'Channels', kind: 'number', show: ({ channels }) => channels },
  { name: 'May be cut', kind: 'number', show: ({ prunable }) => prunable },
  {
    name: 'Locked',
    kind: 'wrap',
    show: ({ locked }) =>
      locked.map(({ reason, channels }) => `${channels}: ${reason}`).join('; ') || '–',
  },
];

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
      <DataTable
        label="Groups of channels"
        tall
        rows={inspection.groups}
        keyOf={({ name }) => name}
        columns={COLUMNS}
      />
    </Part>
  );
}
