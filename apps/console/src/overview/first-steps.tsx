import { Button, Group, Text } from '@mantine/core';
import { Link } from 'react-router';

/** What to do next, until the first rollout was made. */
export function FirstSteps({
  devices,
  models,
  rollouts,
}: {
  devices: number;
  models: number | undefined;
  rollouts: number | undefined;
}) {
  const next = stepAfter(devices, models, rollouts);
  if (!next) return null;
  return (
    <Group justify="space-between" className="notice good">
      <div>
        <Text fw={600}>{next.title}</Text>
        <Text size="sm" c="dimmed">
          {next.text}
        </Text>
      </div>
      <Button component={Link} to={next.to}>
        {next.action}
      </Button>
    </Group>
  );
}

function stepAfter(devices: number, models: number | undefined, rollouts: number | undefined) {
  if (devices === 0) {
    return {
      title: 'First, let a device join',
      text: 'A claim token and one command; the device measures itself.',
      ...{ to: '/fleet', action: 'To the fleet' },
    };
  }
  if (models === 0) {
    return {
      title: 'Next, push a trained model',
      text: 'An ONNX file and a little data; its variants are made without training.',
      ...{ to: '/models', action: 'To the models' },
    };
  }
  if (rollouts === 0) {
    return {
      title: 'Next, see what each device would get',
      text: 'A plan chooses for each device; a release and a rollout follow from it.',
      ...{ to: '/plan', action: 'To the plan' },
    };
  }
  return null;
}
