import { Checkbox, NumberInput, Select, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, taken } from '../api/client';
import type { AlertRule } from '../api/types';
import { Form } from '../parts/form';
import { METRICS } from './alert-words';

type Metric = AlertRule['metric'];
const NAMES = Object.keys(METRICS) as Metric[];

/** Makes a rule: what it watches, when it is bad, and what follows. */
export function RuleForm({ done }: { done: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [metric, setMetric] = useState<Metric>('accuracy');
  const [raise, setRaise] = useState<number | string>('');
  const [clear, setClear] = useState<number | string>('');
  const [seconds, setSeconds] = useState<number | string>(60);
  const [selector, setSelector] = useState('');
  const [pauseRollouts, setPause] = useState(false);
  const [planAgain, setPlan] = useState(false);
  const make = useMutation({
    mutationFn: () =>
      taken(
        api.POST('/api/v1/alert-rules', {
          body: {
            ...{ name: name.trim(), metric, selector },
            raise: Number(raise),
            clear: Number(clear === '' ? raise : clear),
            forSeconds: Number(seconds),
            actions: { pauseRollouts, planAgain },
          },
        }),
      ),
    onSuccess: async () => {
      done();
      await client.invalidateQueries({ queryKey: ['alerts'] });
    },
  });
  const { below, unit } = METRICS[metric];
  return (
    <Form
      button="Make the rule"
      send={() => make.mutate()}
      sending={make.isPending}
      error={make.error}
      disabled={name.trim() === '' || raise === ''}
    >
      <TextInput
        label="Name"
        required
        data-autofocus
        maxLength={64}
        value={name}
        onChange={({ currentTarget }) => setName(currentTarget.value)}
      />
      <Select
        label="Watches"
        allowDeselect={false}
        data={NAMES.map((value) => ({ value, label: METRICS[value].name }))}
        value={metric}
        onChange={(value) => setMetric(NAMES.find((one) => one === value) ?? 'accuracy')}
      />
      <div className="fields">
        <NumberInput
          label={`Bad ${below ? 'under' : 'over'}, ${unit}`}
          required
          value={raise}
          onChange={setRaise}
        />
        <NumberInput
          label={`Good again ${below ? 'over' : 'under'}`}
          placeholder="the same"
          value={clear}
          onChange={setClear}
        />
      </div>
      <NumberInput
        label="For at least"
        suffix=" s"
        min={0}
        max={86_400}
        value={seconds}
        onChange={setSeconds}
      />
      <TextInput
        label="Devices with these labels"
        placeholder="site=lyon; empty: all"
        value={selector}
        onChange={({ currentTarget }) => setSelector(currentTarget.value)}
      />
      <Checkbox
        label="Pause the rollouts under way of what it is about"
        checked={pauseRollouts}
        onChange={({ currentTarget }) => setPause(currentTarget.checked)}
      />
      <Checkbox
        label="Have its devices planned anew"
        checked={planAgain}
        onChange={({ currentTarget }) => setPlan(currentTarget.checked)}
      />
    </Form>
  );
}
