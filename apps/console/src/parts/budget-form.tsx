import { NumberInput } from '@mantine/core';
import { useState } from 'react';
import type { Budget } from '../api/types';
import { Form } from './form';

const MIB = 2 ** 20;

/** Fields of a budget as a person writes them; each is a number or left empty. */
interface Fields {
  readonly latency: number | string;
  readonly memory: number | string;
  readonly storage: number | string;
  readonly transfer: number | string;
  readonly accuracy: number | string;
}

const fieldsOf = (budget: Budget): Fields => ({
  latency: budget.latencyP95Ms ?? '',
  memory: mebibytes(budget.peakRamBytes),
  storage: mebibytes(budget.storageBytes),
  transfer: mebibytes(budget.transferBytes),
  accuracy: budget.minAccuracy === undefined ? '' : 100 * budget.minAccuracy,
});

const mebibytes = (count: number | undefined): number | '' =>
  count === undefined ? '' : Math.round((count / MIB) * 1000) / 1000;

function budgetOf(fields: Fields, soft: Budget['soft']): Budget {
  const given = (value: number | string): value is number => typeof value === 'number';
  const { latency, memory, storage, transfer, accuracy } = fields;
  return {
    ...(given(latency) ? { latencyP95Ms: latency } : {}),
    ...(given(memory) ? { peakRamBytes: Math.round(memory * MIB) } : {}),
    ...(given(storage) ? { storageBytes: Math.round(storage * MIB) } : {}),
    ...(given(transfer) ? { transferBytes: Math.round(transfer * MIB) } : {}),
    ...(given(accuracy) ? { minAccuracy: accuracy / 100 } : {}),
    ...(soft && soft.length > 0 ? { soft } : {}),
  };
}

/** Edits a budget; a field left empty is no limit. */
export function BudgetForm({
  budget,
  save,
  saving,
  error,
}: {
  budget: Budget;
  save: (budget: Budget) => void;
  saving: boolean;
  error: Error | null;
}) {
  const [fields, setFields] = useState(() => fieldsOf(budget));
  const field = (key: keyof Fields, label: string, suffix: string) => (
    <NumberInput
      label={label}
      suffix={` ${suffix}`}
      placeholder="no limit"
      min={0}
      {...(key === 'accuracy' ? { max: 100 } : {})}
      value={fields[key]}
      onChange={(value) => setFields({ ...fields, [key]: value })}
    />
  );
  return (
    <Form
      button="Save the budget"
      send={() => save(budgetOf(fields, budget.soft))}
      sending={saving}
      error={error}
    >
      {field('latency', 'Latency, 95th percentile', 'ms')}
      {field('memory', 'Memory of a model at its peak', 'MiB')}
      {field('storage', 'Storage of a model', 'MiB')}
      {field('transfer', 'Bytes sent for an update', 'MiB')}
      {field('accuracy', 'Accuracy, at least', '%')}
    </Form>
  );
}
