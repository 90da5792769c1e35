import { Button, UnstyledButton } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { api, taken } from '../api/client';
import type { Candidate, PlanPreview } from '../api/types';
import { keptOf } from '../models/front';
import { BudgetText } from '../parts/budget';
import { DataTable } from '../parts/data-table';
import { milliseconds, percent, whole } from '../parts/format';
import { Icon } from '../parts/icons';
import { Part, Tile, Tiles } from '../parts/page';
import { Failed } from '../parts/states';
import { Options } from './options';

/** The choice for each device, and the way from it to a rollout. */
export function PlanPreviewParts({
  plan,
  candidates,
}: {
  plan: PlanPreview;
  candidates: readonly Candidate[];
}) {
  const { modelId, selector, assignments, more } = plan;
  const served = assignments.filter(({ candidateId }) => candidateId !== null);
  const variants = new Set(served.map(({ candidateId }) => candidateId));
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const toggle = (id: string): void =>
    setOpened(
      opened.has(id) ? new Set([...opened].filter((one) => one !== id)) : new Set([...opened, id]),
    );
  return (
    <>
      <Tiles>
        <Tile name="Devices" note={more > 0 ? `and ${whole(more)} more, not shown` : undefined}>
          {whole(assignments.length)}
        </Tile>
        <Tile name="Served">{whole(served.length)}</Tile>
        <Tile name="Nothing fits">{whole(assignments.length - served.length)}</Tile>
        <Tile name="Different variants">{whole(variants.size)}</Tile>
      </Tiles>
      <Part
        title="What each device would get"
        note="Open a device to see every candidate’s cost on it."
        actions={<MakeRelease {...{ modelId, selector }} disabled={served.length === 0} />}
        flush
      >
        <DataTable
          label="What each device would get"
          rows={assignments}
          keyOf={({ deviceId }) => deviceId}
          below={({ deviceId, candidateId, options }) =>
            opened.has(deviceId) && <Options options={options} chosen={candidateId} />
          }
          columns={[
            {
              name: 'Device',
              show: ({ deviceId }) => (
                <span className="opener">
                  <UnstyledButton
                    aria-expanded={opened.has(deviceId)}
                    aria-label={`Candidates on ${deviceId}`}
                    onClick={() => toggle(deviceId)}
                    data-open={opened.has(deviceId) || undefined}
                  >
                    <Icon name="chevron" size={16} />
                  </UnstyledButton>
                  <Link to={`/fleet/${deviceId}`}>{deviceId}</Link>
                </span>
              ),
            },
            {
              name: 'Candidate',
              kind: 'mono',
              show: ({ candidateId }) => candidateId ?? <span className="soft">none</span>,
            },
            {
              name: 'Accuracy',
              kind: 'number',
              show: ({ candidateId }) => {
                const candidate = candidates.find(({ id }) => id === candidateId);
                return candidate ? percent(keptOf(candidate), 2) : '–';
              },
            },
            {
              name: 'Latency',
              kind: 'number',
              show: ({ predictedLatencyMs }) =>
                predictedLatencyMs === null ? '–' : milliseconds(predictedLatencyMs),
            },
            { name: 'Budget', show: ({ budget }) => <BudgetText budget={budget} /> },
            {
              name: 'Why',
              kind: 'wrap',
              show: ({ reasons, wouldFit }) =>
                [...reasons, ...(wouldFit ? [wouldFit.text] : [])].join('; '),
            },
          ]}
        />
      </Part>
    </>
  );
}

/** Writes the plan, closes its variants into a release, and goes on to the rollout. */
function MakeRelease({
  modelId,
  selector,
  disabled,
}: {
  modelId: string;
  selector: string;
  disabled: boolean;
}) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const make = useMutation({
    mutationFn: async () => {
      const plan = await taken(api.POST('/api/v1/plans', { body: { modelId, selector } }));
      return taken(api.POST('/api/v1/releases', { body: { modelId, planId: plan.id } }));
    },
    onSuccess: async (release) => {
      await client.invalidateQueries({ queryKey: ['releases'] });
      await navigate(`/rollouts/new?release=${release.id}&plan=${release.planId}`);
    },
  });
  return (
    <>
      {make.error && <Failed error={make.error} />}
      <Button disabled={disabled} loading={make.isPending} onClick={() => make.mutate()}>
        Make a release
      </Button>
    </>
  );
}
