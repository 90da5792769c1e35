import { Checkbox, Group, MultiSelect, Select, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';
import type { FleetFilter } from '../api/queries';
import type { FleetSummary } from '../api/types';
import { DEVICE_STATES } from './fleet-filter';

const TYPING_MS = 250;

/** By what the fleet is filtered. */
export function FilterBar({
  filter,
  change,
  summary,
}: {
  filter: FleetFilter;
  change: (changed: Partial<FleetFilter>) => void;
  summary: FleetSummary | undefined;
}) {
  const [search, setSearch] = useState(filter.search);
  const ask = useDebouncedCallback((text: string) => change({ search: text }), TYPING_MS);
  const chosen = filter.selector.split(',').filter((term) => term !== '');
  const labels = (summary?.labels ?? []).map(({ key, value, devices }) => ({
    value: `${key}=${value}`,
    label: `${key}=${value} (${devices})`,
  }));
  const known = [
    ...labels,
    ...chosen
      .filter((term) => !labels.some(({ value }) => value === term))
      .map((term) => ({ value: term, label: term })),
  ];
  return (
    <div className="filters">
      <TextInput
        aria-label="Name or id"
        placeholder="Name or id"
        value={search}
        maxLength={64}
        onChange={({ currentTarget: { value } }) => {
          setSearch(value);
          ask(value);
        }}
      />
      <Select
        aria-label="State"
        placeholder="Any state"
        clearable
        clearButtonProps={{ 'aria-label': 'Any state' }}
        data={[...DEVICE_STATES]}
        value={filter.state}
        onChange={(value) =>
          change({ state: DEVICE_STATES.find((state) => state === value) ?? null })
        }
      />
      <MultiSelect
        className="wide"
        aria-label="Labels"
        placeholder={chosen.length === 0 ? 'Any label' : ''}
        searchable
        clearable
        clearButtonProps={{ 'aria-label': 'Any label' }}
        hidePickedOptions
        nothingFoundMessage="No device has such a label"
        data={known}
        value={chosen}
        onChange={(terms) => change({ selector: terms.join(',') })}
      />
      <Group>
        <Checkbox
          label={`In quarantine${summary ? ` (${summary.quarantined})` : ''}`}
          checked={filter.quarantined}
          onChange={({ currentTarget: { checked } }) => change({ quarantined: checked })}
        />
      </Group>
    </div>
  );
}
