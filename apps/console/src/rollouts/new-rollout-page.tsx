import { Button, Code, Paper } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { api, taken } from '../api/client';
import { queries } from '../api/queries';
import type { Release, RolloutRequest } from '../api/types';
import { Page } from '../parts/page';
import { Answer, Empty, Failed } from '../parts/states';
import { RolloutPreviewPart } from './rollout-preview';
import { requestOf, USUAL } from './rollout-rules';
import { RulesForm } from './rules-form';

const TYPING_MS = 300;

/** Sets the rules of a rollout beside what they would do. */
export default function NewRolloutPage() {
  const [params] = useSearchParams();
  const releaseId = params.get('release') ?? '';
  const planId = params.get('plan') ?? '';
  const release = useQuery({ ...queries.release(releaseId), enabled: releaseId !== '' });
  return (
    <Page
      title="New rollout"
      over={
        <>
          <Link to="/rollouts">Rollouts</Link>
          {release.data && ` · ${release.data.document.model} v${release.data.document.version}`}
        </>
      }
    >
      {releaseId === '' || planId === '' ? (
        <Paper withBorder className="part">
          <Empty
            title="A rollout begins with a plan"
            action={
              <Button component={Link} to="/plan">
                To the plan
              </Button>
            }
          >
            The plan says which devices get what; its release is what they are sent.
          </Empty>
        </Paper>
      ) : (
        <Answer query={release} what="the release">
          {(found) =>
            found.state === 'signed' ? (
              <Rules releaseId={releaseId} planId={planId} />
            ) : (
              <Unsigned release={found} />
            )
          }
        </Answer>
      )}
    </Page>
  );
}

function Unsigned({ release }: { release: Release }) {
  return (
    <div className="notice wait">
      <strong>Release {release.id} is not signed yet.</strong>
      <p>
        Its {release.document.variants.length} variants are fixed. Sign it with the offline release
        key, and this page goes on:
      </p>
      <Code block>
        espalier releases sign {release.id} --key release.pem --server {window.location.origin}
      </Code>
    </div>
  );
}

function Rules({ releaseId, planId }: { releaseId: string; planId: string }) {
  const [rules, setRules] = useState(USUAL);
  const [request] = useDebouncedValue(requestOf(rules, releaseId, planId), TYPING_MS);
  const navigate = useNavigate();
  const client = useQueryClient();
  const create = useMutation({
    mutationFn: (body: RolloutRequest) => taken(api.POST('/api/v1/rollouts', { body })),
    onSuccess: async ({ id }) => {
      await client.invalidateQueries({ queryKey: ['rollouts'] });
      await navigate(`/rollouts/${id}`);
    },
  });
  return (
    <div className="two">
      <RulesForm rules={rules} change={setRules} />
      <div className="column">
        <RolloutPreviewPart request={request} />
        {create.error && <Failed error={create.error} />}
        <Button
          size="md"
          loading={create.isPending}
          onClick={() => create.mutate(requestOf(rules, releaseId, planId))}
        >
          Create the rollout
        </Button>
        <p className="soft small-print">It waits as a draft until someone starts it.</p>
      </div>
    </div>
  );
}
