import { Button, Paper, Select, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { queries } from '../api/queries';
import { Page } from '../parts/page';
import { Answer, Empty, Waiting } from '../parts/states';
import { PlanPreviewParts } from './plan-preview';

/** What each device would get of a model, and why; nothing is written before a release is made. */
export default function PlanPage() {
  const [params, setParams] = useSearchParams();
  const models = useQuery(queries.models());
  const modelId = params.get('model') ?? models.data?.models[0]?.id ?? null;
  const selector = params.get('selector') ?? '';
  const [typed, setTyped] = useState(selector);
  return (
    <Page title="Plan">
      <Answer query={models} what="the models">
        {({ models: all }) =>
          all.length === 0 ? (
            <Paper withBorder className="part">
              <Empty
                title="There is no model to plan with"
                action={
                  <Button component={Link} to="/models">
                    To the models
                  </Button>
                }
              >
                Push a trained model first; its candidates are what a plan chooses from.
              </Empty>
            </Paper>
          ) : (
            <>
              <Paper withBorder className="part">
                <form
                  className="filters plan"
                  onSubmit={(event) => {
                    event.preventDefault();
                    setParams({ ...(modelId ? { model: modelId } : {}), selector: typed });
                  }}
                >
                  <Select
                    label="Model"
                    allowDeselect={false}
                    data={all.map(({ id, name }) => ({ value: id, label: name }))}
                    value={modelId}
                    onChange={(id) => setParams({ ...(id ? { model: id } : {}), selector })}
                  />
                  <TextInput
                    label="Devices with these labels"
                    placeholder="site=lyon,line=3; empty: all"
                    value={typed}
                    onChange={({ currentTarget }) => setTyped(currentTarget.value)}
                  />
                  <Button type="submit" variant="default">
                    Preview
                  </Button>
                </form>
              </Paper>
              {modelId && <Preview modelId={modelId} selector={selector} />}
            </>
          )
        }
      </Answer>
    </Page>
  );
}

function Preview({ modelId, selector }: { modelId: string; selector: string }) {
  const preview = useQuery(queries.planPreview(modelId, selector));
  const candidates = useQuery(queries.candidates(modelId));
  if (preview.isFetching && !preview.data) return <Waiting what="what each device would get" />;
  return (
    <Answer query={preview} what="the plan">
      {(plan) => <PlanPreviewParts plan={plan} candidates={candidates.data?.candidates ?? []} />}
    </Answer>
  );
}
