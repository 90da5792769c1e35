import { Button, Radio, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, taken } from '../api/client';
import type { Rollout, RolloutStatus } from '../api/types';
import { Dialog } from '../parts/dialog';
import { Form } from '../parts/form';

type Order = 'start' | 'approve' | 'pause' | 'resume' | 'promote' | 'abort';

/** Orders that a rollout takes in each status, the foremost first. */
const TAKES: Readonly<Record<RolloutStatus, readonly Order[]>> = {
  draft: ['start', 'abort'],
  running: ['pause', 'abort'],
  awaiting: ['approve', 'abort'],
  paused: ['resume', 'abort'],
  held: ['resume', 'promote', 'abort'],
  halting: [],
  aborting: [],
  completed: [],
  halted: [],
  aborted: [],
};

const WORDS: Readonly<Record<Order, { button: string; title: string; text: string }>> = {
  start: {
    button: 'Start',
    title: 'Start the rollout',
    text: 'The devices of its first stage are told now.',
  },
  approve: {
    button: 'Approve',
    title: 'Approve the next stage',
    text: 'It opens now. Say why: it stays in the log.',
  },
  pause: {
    button: 'Pause',
    title: 'Pause the rollout',
    text: 'No other device is told. Those at work go on, and the gates still watch.',
  },
  resume: {
    button: 'Resume',
    title: 'Resume the rollout',
    text: 'It goes on where it was, under the same gates.',
  },
  promote: {
    button: 'Promote',
    title: 'Open the next stage although the gate did not pass',
    text: 'What the gate missed is set aside for this stage. Say why: it stays in the log.',
  },
  abort: {
    button: 'Abort',
    title: 'Abort the rollout',
    text: 'No other device is told. Say what becomes of those that were updated.',
  },
};

/** What a person may order now; each order is asked for its reason, which the log keeps. */
export function Orders({ rollout }: { rollout: Rollout }) {
  const [asked, setAsked] = useState<Order | null>(null);
  const takes = TAKES[rollout.status];
  return (
    <>
      {takes.map((order, at) => (
        <Button
          key={order}
          variant={at === 0 ? 'filled' : 'default'}
          onClick={() => setAsked(order)}
        >
          {WORDS[order].button}
        </Button>
      ))}
      <Dialog
        opened={asked !== null}
        close={() => setAsked(null)}
        title={asked ? WORDS[asked].title : ''}
      >
        {asked && <OrderForm id={rollout.id} order={asked} done={() => setAsked(null)} />}
      </Dialog>
    </>
  );
}

function OrderForm({ id, order, done }: { id: string; order: Order; done: () => void }) {
  const [why, setWhy] = useState('');
  const [mode, setMode] = useState<'keep' | 'revert'>('revert');
  const client = useQueryClient();
  const give = useMutation({
    mutationFn: () => send(id, order, why.trim(), mode),
    onSuccess: async () => {
      done();
      await client.invalidateQueries({ queryKey: ['rollouts'] });
    },
  });
  const needsWhy = order === 'approve' || order === 'promote';
  const { text, button } = WORDS[order];
  return (
    <Form
      button={button}
      send={() => give.mutate()}
      sending={give.isPending}
      error={give.error}
      disabled={needsWhy && why.trim() === ''}
      danger={order === 'abort'}
      beside={
        <Button variant="default" onClick={done}>
          Cancel
        </Button>
      }
    >
      <Text size="sm" c="dimmed">
        {text}
      </Text>
      {order === 'abort' && (
        <Radio.Group
          label="Devices that were updated"
          value={mode}
          onChange={(value) => setMode(value === 'keep' ? 'keep' : 'revert')}
        >
          <Stack gap="xs" mt={6}>
            <Radio value="revert" label="are taken back to what they ran before" />
            <Radio value="keep" label="keep what they have" />
          </Stack>
        </Radio.Group>
      )}
      <Textarea
        label="Why"
        required={needsWhy}
        data-autofocus
        maxLength={1024}
        autosize
        minRows={2}
        value={why}
        onChange={({ currentTarget }) => setWhy(currentTarget.value)}
      />
    </Form>
  );
}

function send(id: string, order: Order, why: string, mode: 'keep' | 'revert'): Promise<Rollout> {
  const params = { path: { id } };
  switch (order) {
    case 'start':
      return taken(api.POST('/api/v1/rollouts/{id}/start', { params, body: { why } }));
    case 'approve':
      return taken(api.POST('/api/v1/rollouts/{id}/approve', { params, body: { why } }));
    case 'pause':
      return taken(api.POST('/api/v1/rollouts/{id}/pause', { params, body: { why } }));
    case 'resume':
      return taken(api.POST('/api/v1/rollouts/{id}/resume', { params, body: { why } }));
    case 'promote':
      return taken(
        api.POST('/api/v1/rollouts/{id}/resume', { params, body: { why, promote: true } }),
      );
    case 'abort':
      return taken(api.POST('/api/v1/rollouts/{id}/abort', { params, body: { why, mode } }));
  }
}
