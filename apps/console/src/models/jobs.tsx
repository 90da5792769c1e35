import { Button, Checkbox, Group, NumberInput, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, taken } from '../api/client';
import { queries } from '../api/queries';
import type { Job } from '../api/types';
import { Bar } from '../parts/bar';
import { Dialog } from '../parts/dialog';
import { Form } from '../parts/form';
import { percent } from '../parts/format';
import { Told } from '../parts/tone';

/** Compressions of a model: those at work, how the last ended, and a way to begin another. */
export function Jobs({ modelId }: { modelId: string }) {
  const { data } = useQuery(queries.jobs(modelId));
  const [opened, { open, close }] = useDisclosure(false);
  const atWork = data?.jobs.filter(({ state }) => state === 'queued' || state === 'running') ?? [];
  const last = data?.jobs[0];
  return (
    <>
      {atWork.map((job) => (
        <JobAtWork key={job.id} job={job} />
      ))}
      {last?.error && last.state === 'failed' && (
        <div className="notice bad">
          The last compression failed: {last.error.message}{' '}
          <span className="mono">{last.error.code}</span>
        </div>
      )}
      {data && atWork.length === 0 && (
        <Group justify="flex-end">
          <Button variant="default" onClick={open}>
            Make candidates
          </Button>
        </Group>
      )}
      <Dialog opened={opened} close={close} title="Make candidates">
        <MakeCandidates modelId={modelId} done={close} />
      </Dialog>
    </>
  );
}

function JobAtWork({ job }: { job: Job }) {
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => taken(api.DELETE('/api/v1/jobs/{id}', { params: { path: { id: job.id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['jobs'] }),
  });
  return (
    <div className="notice busy" role="status">
      <Group justify="space-between" mb={8}>
        <Told tone="busy">Candidates are being made: {job.stage}</Told>
        <Group gap="sm">
          <span>{percent(job.progress, 0)}</span>
          <Button
            size="xs"
            variant="default"
            loading={cancel.isPending}
            onClick={() => cancel.mutate()}
          >
            Cancel
          </Button>
        </Group>
      </Group>
      <Bar parts={[{ tone: 'busy', share: job.progress }]} />
    </div>
  );
}

function MakeCandidates({ modelId, done }: { modelId: string; done: () => void }) {
  const client = useQueryClient();
  const [points, setPoints] = useState<number | string>(6);
  const [precisions, setPrecisions] = useState<string[]>(['fp32', 'int8']);
  const make = useMutation({
    mutationFn: () =>
      taken(
        api.POST('/api/v1/models/{id}/candidates', {
          params: { path: { id: modelId } },
          body: {
            points: Number(points),
            precisions: (['fp32', 'int8'] as const).filter((one) => precisions.includes(one)),
          },
        }),
      ),
    onSuccess: async () => {
      done();
      await client.invalidateQueries({ queryKey: ['jobs'] });
    },
  });
  return (
    <Form
      button="Begin"
      send={() => make.mutate()}
      sending={make.isPending}
      error={make.error}
      disabled={precisions.length === 0}
    >
      <Text size="sm" c="dimmed">
        Those that exist stay. No training: channels are cut and the layers after them refitted.
      </Text>
      <NumberInput
        label="How many"
        description="From the largest to the smallest, for each precision"
        min={1}
        max={32}
        value={points}
        onChange={setPoints}
      />
      <Checkbox.Group label="Precisions" value={precisions} onChange={setPrecisions}>
        <Group mt={4}>
          <Checkbox value="fp32" label="fp32" />
          <Checkbox value="int8" label="int8" />
        </Group>
      </Checkbox.Group>
    </Form>
  );
}
