import { Button, Code, CopyButton, Group, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, taken } from '../api/client';
import { queries } from '../api/queries';
import { Dialog } from '../parts/dialog';
import { Form } from '../parts/form';
import { Waiting } from '../parts/states';
import { DeviceStateWord } from '../parts/tone';
import { parseLabels } from './label-text';

const HOUR_SECONDS = 3600;

/** Lets a device in: a claim token, the one command to run on it, and its arrival. */
export function AddDevice({ opened, close }: { opened: boolean; close: () => void }) {
  const [name, setName] = useState('');
  const [labels, setLabels] = useState('');
  const client = useQueryClient();
  const claim = useMutation({
    mutationFn: async () => {
      const { devices } = await client.fetchQuery(queries.fleetSummary());
      const { token } = await taken(
        api.POST('/api/v1/claim-tokens', {
          body: {
            ...(name.trim() ? { name: name.trim() } : {}),
            labels: parseLabels(labels) ?? {},
            expiresInSeconds: HOUR_SECONDS,
          },
        }),
      );
      return { token, devicesBefore: devices };
    },
  });
  const leave = (): void => {
    close();
    claim.reset();
  };
  const labelsWrong = parseLabels(labels) === null;
  return (
    <Dialog opened={opened} close={leave} title="Add a device" size="lg">
      {claim.data ? (
        <Arrival {...claim.data} name={name.trim()} close={leave} />
      ) : (
        <Form
          button="Make a claim token"
          send={() => {
            if (!labelsWrong) claim.mutate();
          }}
          sending={claim.isPending}
          error={claim.error}
        >
          <Text size="sm" c="dimmed">
            A claim token lets one device in, once, within an hour. The device makes its own key and
            then measures itself.
          </Text>
          <TextInput
            label="Name"
            description="Left empty, the device says its own"
            value={name}
            maxLength={64}
            data-autofocus
            onChange={({ currentTarget }) => setName(currentTarget.value)}
          />
          <TextInput
            label="Labels"
            description="For groups and budgets, as site=lyon,line=3"
            value={labels}
            error={labelsWrong ? 'Each label is key=value, the key of a-z, 0-9, _, . and -' : null}
            onChange={({ currentTarget }) => setLabels(currentTarget.value)}
          />
        </Form>
      )}
    </Dialog>
  );
}

function Arrival({
  token,
  devicesBefore,
  name,
  close,
}: {
  token: string;
  devicesBefore: number;
  name: string;
  close: () => void;
}) {
  const command = [
    `espalier-agent --server ${window.location.origin}`,
    `  --token ${token}`,
    '  --state-dir /var/lib/espalier',
  ].join(' \\\n');
  const { data: summary } = useQuery({ ...queries.fleetSummary(), refetchInterval: 1_000 });
  const joined = (summary?.devices ?? 0) > devicesBefore;
  return (
    <Stack>
      <Text size="sm">Run this on the device. The token is shown only now.</Text>
      <Code block className="mono" tabIndex={0}>
        {command}
      </Code>
      <Group>
        <CopyButton value={command}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy}>
              {copied ? 'Copied' : 'Copy the command'}
            </Button>
          )}
        </CopyButton>
      </Group>
      {joined ? (
        <Newest name={name} close={close} />
      ) : (
        <Waiting what="the device, once it has joined" />
      )}
    </Stack>
  );
}

function Newest({ name, close }: { name: string; close: () => void }) {
  const filter = { selector: '', search: name, state: null, quarantined: false };
  const { data } = useQuery({ ...queries.devices(filter, 0), refetchInterval: 1_000 });
  const device = [...(data?.devices ?? [])].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))[0];
  if (!device) return <Text>A device has joined.</Text>;
  return (
    <Group justify="space-between" className="notice good">
      <span>
        <strong>{device.name}</strong> has joined: <DeviceStateWord state={device.state} />
      </span>
      <Button component={Link} to={`/fleet/${device.id}`} onClick={close}>
        Look at it
      </Button>
    </Group>
  );
}
