import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams, useSearchParams } from 'react-router';
import { queries } from '../api/queries';
import type { Candidate, Inspection, Model } from '../api/types';
import { bytes, instant, short } from '../parts/format';
import { Page, Part, Tile, Tiles } from '../parts/page';
import { Answer, Empty } from '../parts/states';
import { DriftPart } from '../telemetry/drift-part';
import { FieldPart } from '../telemetry/field-part';
import { CandidateDetail } from './candidate-detail';
import { CandidateTable } from './candidate-table';
import { frontOf } from './front';
import { Jobs } from './jobs';
import { ParetoFront } from './pareto-front';
import { ShadowAgreement } from './shadow-agreement';
import { Structure } from './structure';

/** One model: its candidates on the Pareto front, and what each is made of. */
export default function ModelPage() {
  const { id = '' } = useParams();
  const model = useQuery(queries.model(id));
  return (
    <Page
      title={model.data?.name ?? id}
      over={
        <>
          <Link to="/models">Models</Link> · {id}
        </>
      }
      actions={
        <Button component={Link} to={`/plan?model=${id}`}>
          Plan for devices
        </Button>
      }
    >
      <Answer query={model} what="the model">
        {(found) => <ModelParts model={found} />}
      </Answer>
    </Page>
  );
}

function ModelParts({ model }: { model: Model }) {
  const inspection = model.inspection as Inspection;
  const candidates = useQuery(queries.candidates(model.id));
  return (
    <>
      <Tiles>
        <Tile name="Size" note={`pushed ${instant(model.createdAt)}`}>
          {bytes(model.bytes)}
        </Tile>
        <Tile name="Parameters">{short(inspection.params)}</Tile>
        <Tile name="Multiplications" note="and additions, for one sample">
          {short(inspection.macs)}
        </Tile>
        <Tile name="Peak memory" note="weights and activations, without the runtime">
          {bytes(inspection.peakRamBytes)}
        </Tile>
      </Tiles>
      <Jobs modelId={model.id} />
      <Answer query={candidates} what="the candidates">
        {({ candidates: all }) =>
          all.length === 0 ? (
            <Part title="Candidates">
              <Empty title="No candidate yet">
                Candidates are the variants that devices may get, from the largest to the smallest.
                They show here when the work above is done.
              </Empty>
            </Part>
          ) : (
            <Candidates candidates={all} />
          )
        }
      </Answer>
      <FieldPart query={{ model: model.name }} kind="variant" />
      <DriftPart model={model.name} />
      <ShadowAgreement modelId={model.id} />
      <Structure inspection={inspection} />
    </>
  );
}

function Candidates({ candidates }: { candidates: readonly Candidate[] }) {
  const [params, setParams] = useSearchParams();
  const front = frontOf(candidates);
  const asked = params.get('candidate');
  const chosen =
    candidates.find(({ id }) => id === asked) ?? candidates.find(({ id }) => front.has(id));
  const choose = (candidate: string): void =>
    setParams({ candidate }, { replace: true, preventScrollReset: true });
  return (
    <>
      <div className="two front">
        <ParetoFront {...{ candidates, front, choose }} chosen={chosen?.id ?? null} />
        <CandidateTable {...{ candidates, front, choose }} chosen={chosen?.id ?? null} />
      </div>
      {chosen && <CandidateDetail candidate={chosen} />}
    </>
  );
}
