import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { queries } from '../api/queries';
import type { Rollout } from '../api/types';
import { Ago } from '../parts/ago';
import { bytes, some, whole } from '../parts/format';
import { Page, Part, Tile, Tiles } from '../parts/page';
import { Answer } from '../parts/states';
import { RolloutWord } from '../parts/tone';
import { FieldPart } from '../telemetry/field-part';
import { decisionWords } from './decision-words';
import { DecisionLog } from './decision-log';
import { Gates } from './gates';
import { Members } from './members';
import { Orders } from './orders';
import { Stages } from './stages';

/** One rollout, live: its stages, its gates with their evidence, and every decision. */
export default function RolloutPage() {
  const { id = '' } = useParams();
  const rollout = useQuery(queries.rollout(id));
  return (
    <Page
      title={rollout.data ? `${rollout.data.model} v${rollout.data.version}` : id}
      over={
        <>
          <Link to="/rollouts">Rollouts</Link> · {id}
        </>
      }
      actions={rollout.data && <Orders rollout={rollout.data} />}
    >
      <Answer query={rollout} what="the rollout">
        {(found) => <RolloutParts rollout={found} />}
      </Answer>
    </Page>
  );
}

function RolloutParts({ rollout }: { rollout: Rollout }) {
  const { devices, stage, stages, haltedVariants, bytesSent, status, updatedAt } = rollout;
  const of = (...statuses: string[]): number =>
    devices.filter((device) => statuses.includes(device.status)).length;
  return (
    <>
      <Tiles>
        <Tile
          name="Status"
          note={
            <>
              changed <Ago at={updatedAt} />
            </>
          }
        >
          <RolloutWord status={status} />
        </Tile>
        <Tile name="Stage" note={stages[stage]?.name ?? 'not started'}>
          {stage < 0 ? '–' : `${Math.min(stage + 1, stages.length)} of ${stages.length}`}
        </Tile>
        <Tile name="Active" note={`of ${some(devices.length, 'device')}`}>
          {whole(of('active'))}
        </Tile>
        <Tile
          name="Failed"
          note={`${whole(of('reverting', 'reverted'))} taken back, ${whole(of('missing'))} silent`}
        >
          {whole(of('failed', 'quarantined', 'stranded', 'unrevertable'))}
        </Tile>
        <Tile name="Sent">{bytes(bytesSent)}</Tile>
      </Tiles>
      {haltedVariants.map((variantId) => (
        <Stopped key={variantId} rolloutId={rollout.id} variantId={variantId} />
      ))}
      <div className="two">
        <div className="column">
          <Stages rollout={rollout} />
          <Gates rollout={rollout} />
        </div>
        <DecisionLog id={rollout.id} />
        {stage >= 0 && (
          <div className="whole">
            <FieldPart query={{ releaseId: rollout.releaseId }} kind="variant" />
          </div>
        )}
        <div className="whole">
          <Part title="Devices" flush>
            <Members devices={devices} stages={stages} />
          </Part>
        </div>
      </div>
    </>
  );
}

/** A variant that was stopped, by which gate, and on what numbers. */
function Stopped({ rolloutId, variantId }: { rolloutId: string; variantId: string }) {
  const { data } = useQuery(queries.decisions(rolloutId));
  const decision = data?.decisions.findLast(
    (one) => one['outcome'] === 'halt' && one['variantId'] === variantId,
  );
  const words = decision && decisionWords(decision);
  return (
    <div className="notice bad" role="status">
      <strong>A variant was stopped:</strong> <span className="mono id">{variantId}</span>. Its
      devices go back to what they ran before; the others go on.
      {words && (
        <div className="soft small-print">
          {words.title}. {words.detail}
        </div>
      )}
    </div>
  );
}
