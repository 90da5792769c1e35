import { Button, Table, UnstyledButton } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Fragment, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { api, taken } from '../api/client';
import type { Candidate, PlanPreview, PreviewedAssignment } from '../api/types';
import { keptOf } from '../models/front';
import { BudgetText } from '../parts/budget';
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
        <div className="scroller">
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Device</Table.Th>
                <Table.Th>Candidate</Table.Th>
                <Table.Th className="number">Accuracy</Table.Th>
                <Table.Th className="number">Latency</Table.Th>
                <Table.Th>Budget</Table.Th>
                <Table.Th>Why</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {assignments.map((assignment) => (
                <Assigned
                  key={assignment.deviceId}
                  assignment={assignment}
                  candidate={candidates.find(({ id }) => id === assignment.candidateId)}
                />
              ))}
            </Table.Tbody>
          </Table>
        </div>
      </Part>
    </>
  );
}

function Assigned({
  assignment,
  candidate,
}: {
  assignment: PreviewedAssignment;
  candidate: Candidate | undefined;
}) {
  const [open, setOpen] = useState(false);
  const { deviceId, candidateId, predictedLatencyMs, budget, reasons, options, wouldFit } =
    assignment;
  return (
    <Fragment>
      <Table.Tr>
        <Table.Td>
          <span className="opener">
            <UnstyledButton
              aria-expanded={open}
              aria-label={`Candidates on ${deviceId}`}
              onClick={() => setOpen(!open)}
              data-open={open || undefined}
            >
              <Icon name="chevron" size={16} />
            </UnstyledButton>
            <Link to={`/fleet/${deviceId}`}>{deviceId}</Link>
          </span>
        </Table.Td>
        <Table.Td className="mono">{candidateId ?? <span className="soft">none</span>}</Table.Td>
        <Table.Td className="number">{candidate ? percent(keptOf(candidate), 2) : '–'}</Table.Td>
        <Table.Td className="number">
          {predictedLatencyMs === null ? '–' : milliseconds(predictedLatencyMs)}
        </Table.Td>
        <Table.Td>
          <BudgetText budget={budget} />
        </Table.Td>
        <Table.Td className="wrap">
          {reasons.join('; ')}
          {wouldFit ? `; ${wouldFit.text}` : ''}
        </Table.Td>
      </Table.Tr>
      {open && (
        <Table.Tr>
          <Table.Td colSpan={6} className="opened">
            <Options options={options} chosen={candidateId} />
          </Table.Td>
        </Table.Tr>
      )}
    </Fragment>
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
