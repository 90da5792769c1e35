import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import type { Choice } from '../api/types';
import { DataTable, type Column } from '../parts/data-table';
import { instant, milliseconds, points } from '../parts/format';
import { Facts, Part } from '../parts/page';
import { Answer, Empty } from '../parts/states';

const EXCLUDED: readonly Column<Choice['assignment']['excluded'][number]>[] = [
  { name: 'Candidate', kind: 'mono', show: ({ candidateId }) => candidateId },
  { name: 'Excluded by', kind: 'wrap', show: ({ why }) => why },
];

/** Why the device has its variant: what the plan behind its last rollout said. */
export function DeviceChoice({ id, running }: { id: string; running: string | null }) {
  const choice = useQuery(queries.choice(id));
  return (
    <Part title="Why this variant">
      <Answer query={choice} what="the reasons">
        {({ choice: found }) =>
          found ? (
            <Reasons choice={found} running={running} />
          ) : (
            <Empty title="No plan behind it yet">
              <Link to="/plan">Preview a plan</Link> to see what it would get, and why.
            </Empty>
          )
        }
      </Answer>
    </Part>
  );
}

function Reasons({ choice, running }: { choice: Choice; running: string | null }) {
  const { assignment, plannedAt, rolloutId, modelId } = choice;
  const { candidateId, predictedLatencyMs, reasons, excluded, wouldFit, loss } = assignment;
  return (
    <div className="column">
      <Facts
        facts={[
          [
            'Chosen',
            candidateId ? (
              <Link key="c" to={`/models/${modelId}?candidate=${candidateId}`} className="mono">
                {candidateId}
              </Link>
            ) : (
              'nothing fits'
            ),
          ],
          [
            'Predicted latency',
            predictedLatencyMs === null ? '–' : milliseconds(predictedLatencyMs),
          ],
          ...(loss === undefined || loss === 0
            ? []
            : [['Given up so that the fleet needs few variants', points(-loss)] as const]),
          ['Planned', instant(plannedAt)],
          [
            'For',
            <Link key="r" to={`/rollouts/${rolloutId}`}>
              {rolloutId}
            </Link>,
          ],
        ]}
      />
      {candidateId && running !== candidateId && (
        <div className="notice wait">
          It does not run what was chosen: its rollout did not reach it, or took it back.
        </div>
      )}
      <ul className="plain-list">
        {reasons.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
        {wouldFit && <li>{wouldFit.text}</li>}
      </ul>
      {excluded.length > 0 && (
        <details>
          <summary>{excluded.length} candidates were excluded</summary>
          <DataTable
            label="Excluded candidates"
            rows={excluded}
            keyOf={(one) => one.candidateId}
            columns={EXCLUDED}
          />
        </details>
      )}
    </div>
  );
}
