import { Button, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, taken } from '../api/client';
import { Dialog } from '../parts/dialog';
import { Form } from '../parts/form';
import { Failed } from '../parts/states';

/** Asks devices for a few of their inputs, or ends that. */
export function ShadowPolicy({ modelId, isAsked }: { modelId: string; isAsked: boolean }) {
  const client = useQueryClient();
  const [opened, { open, close }] = useDisclosure(false);
  const end = useMutation({
    mutationFn: () =>
      taken(
        api.DELETE('/api/v1/models/{id}/shadow', { params: { path: { id: modelId } } }) as never,
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['shadow'] }),
  });
  if (isAsked) {
    return (
      <>
        {end.error && <Failed error={end.error} />}
        <Button size="xs" variant="default" loading={end.isPending} onClick={() => end.mutate()}>
          Ask for no more
        </Button>
      </>
    );
  }
  return (
    <>
      <Button size="xs" variant="default" onClick={open}>
        Ask for samples
      </Button>
      <Dialog opened={opened} close={close} title="Ask for samples">
        <AskForSamples modelId={modelId} done={close} />
      </Dialog>
    </>
  );
}

function AskForSamples({ modelId, done }: { modelId: string; done: () => void }) {
  const client = useQueryClient();
  const [selector, setSelector] = useState('');
  const ask = useMutation({
    mutationFn: () =>
      taken(
        api.PUT('/api/v1/models/{id}/shadow', {
          params: { path: { id: modelId } },
          body: { selector: selector.trim() },
        }),
      ),
    onSuccess: async () => {
      done();
      await client.invalidateQueries({ queryKey: ['shadow'] });
    },
  });
  return (
    <Form
      button="Ask for samples"
      send={() => ask.mutate()}
      sending={ask.isPending}
      error={ask.error}
    >
      <Text size="sm" c="dimmed">
        Inputs leave the devices: one in a hundred, at most one a minute and 16 MiB a day of each
        device whose agent allows it. The server deletes each as soon as it is judged.
      </Text>
      <TextInput
        label="Devices with these labels"
        placeholder="site=lyon; empty: all"
        value={selector}
        data-autofocus
        onChange={({ currentTarget }) => setSelector(currentTarget.value)}
      />
    </Form>
  );
}
