import {
  ActionIcon,
  Button,
  Checkbox,
  Group,
  NumberInput,
  Select,
  Stack,
  Switch,
} from '@mantine/core';
import { Part } from '../parts/page';
import type { Rules } from './rollout-rules';

/** The rules of a rollout: stages, and the gates between them. */
export function RulesForm({ rules, change }: { rules: Rules; change: (rules: Rules) => void }) {
  const set = (changed: Partial<Rules>): void => change({ ...rules, ...changed });
  const number = (
    key: keyof Rules,
    label: string,
    options: { suffix?: string; description?: string; placeholder?: string; max?: number } = {},
  ) => (
    <NumberInput
      label={label}
      min={0}
      {...options}
      value={rules[key] as number | string}
      onChange={(value) => set({ [key]: value })}
    />
  );
  return (
    <div className="column">
      <Part title="Stages" note="Percent of the devices, earlier stages included; the last is 100.">
        <Stack gap="sm">
          {rules.stages.map((stage, at) => (
            <Group key={at} gap="md" wrap="nowrap">
              <NumberInput
                aria-label={`Percent of stage ${at + 1}`}
                suffix=" %"
                min={0.1}
                max={100}
                w={110}
                value={stage.percent}
                onChange={(percent) =>
                  set({
                    stages: rules.stages.map((one, i) => (i === at ? { ...one, percent } : one)),
                  })
                }
              />
              <Checkbox
                label="after approval"
                checked={stage.approval}
                disabled={at === 0}
                onChange={({ currentTarget: { checked } }) =>
                  set({
                    stages: rules.stages.map((one, i) =>
                      i === at ? { ...one, approval: checked } : one,
                    ),
                  })
                }
              />
              {rules.stages.length > 1 && (
                <ActionIcon
                  ml="auto"
                  variant="default"
                  aria-label={`Remove stage ${at + 1}`}
                  onClick={() => set({ stages: rules.stages.filter((_, i) => i !== at) })}
                >
                  ×
                </ActionIcon>
              )}
            </Group>
          ))}
          <Group>
            <Button
              size="xs"
              variant="default"
              disabled={rules.stages.length >= 20}
              onClick={() => set({ stages: [...rules.stages, { percent: 100, approval: false }] })}
            >
              Add a stage
            </Button>
          </Group>
          <div className="fields">
            {number('soakSeconds', 'Watched after each stage', { suffix: ' s' })}
            {number('deadlineMinutes', 'A device may take', { suffix: ' min' })}
          </div>
        </Stack>
      </Part>
      <Part title="Gates" note="What stops it. Missing data is never success.">
        <Stack gap="sm">
          <div className="fields">
            {number('maxFailedPercent', 'Failed devices, at most', { suffix: ' %', max: 100 })}
            {number('minSample', 'Results before that counts')}
            <Select
              label="What is stopped"
              allowDeselect={false}
              data={[
                { value: 'variant', label: 'the variant' },
                { value: 'rollout', label: 'everything' },
              ]}
              value={rules.scope}
              onChange={(scope) => set({ scope: scope === 'rollout' ? 'rollout' : 'variant' })}
            />
            {number('controlPercent', 'Held back to compare with', {
              suffix: ' %',
              placeholder: 'none',
              max: 50,
            })}
            {number('maxLatencyRatio', 'Latency against before', {
              suffix: ' times',
              placeholder: 'no gate',
            })}
            {number('maxMemoryRatio', 'Memory against before', {
              suffix: ' times',
              placeholder: 'no gate',
            })}
          </div>
          <Switch
            label="Accuracy in the field, by a test that may be looked at all the time"
            checked={rules.accuracy}
            onChange={({ currentTarget: { checked } }) => set({ accuracy: checked })}
          />
          {rules.accuracy && (
            <div className="fields">
              {number('toleratedPoints', 'Stops what is shown to lose over', { suffix: ' points' })}
              {number('intolerablePoints', 'Passes what is shown to lose under', {
                suffix: ' points',
              })}
            </div>
          )}
        </Stack>
      </Part>
    </div>
  );
}
