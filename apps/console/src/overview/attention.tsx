import { useQueries, useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import type { Alert, FleetSummary, RolloutSummary } from '../api/types';
import { Part } from '../parts/page';
import { Empty } from '../parts/states';
import { Told } from '../parts/tone';
import { isDrift } from '../telemetry/drift-words';
import { variantOf } from '../telemetry/variant-names';
import { attentionItems, type AgreementOfVariant } from './attention-items';

const SHOWN = 8;
const ANYWHERE = { by: 'variant' } as const;

/** What somebody should look at now, the worst first. */
export function Attention({
  summary,
  alerts,
  rollouts,
}: {
  summary: FleetSummary;
  alerts: readonly Alert[];
  rollouts: readonly RolloutSummary[];
}) {
  const drift = useQuery(queries.drift({}));
  const rules = useQuery(queries.alertRules());
  const drifting = drift.data?.variants.filter(({ days }) => isDrift(days)) ?? [];
  const { agreement, modelOf } = useAgreement(drifting.length > 0);
  const items = attentionItems({ summary, alerts, rollouts, drifting, agreement, modelOf });
  return (
    <Part title="Needs attention">
      {items.length === 0 ? (
        <Empty title="Nothing does">
          {rules.data?.rules.length === 0 ? (
            <>
              Drift, failed devices and rollouts that wait show here by themselves.{' '}
              <Link to="/alerts">Make a rule</Link> to be told of accuracy, latency or memory too.
            </>
          ) : (
            'Alerts, drift, failed devices and rollouts that wait would show here.'
          )}
        </Empty>
      ) : (
        <ul className="attention">
          {items.slice(0, SHOWN).map(({ key, tone, title, detail, to }) => (
            <li key={key}>
              <Told tone={tone}>
                <Link to={to}>{title}</Link>
              </Told>
              <span className="soft">{detail}</span>
            </li>
          ))}
          {items.length > SHOWN && <li className="soft">and {items.length - SHOWN} more</li>}
        </ul>
      )}
    </Part>
  );
}

/** Agreement of the last day beside what the reports give, and the model of each release. */
function useAgreement(needsModels: boolean): {
  agreement: readonly AgreementOfVariant[];
  modelOf: (releaseId: string) => string | undefined;
} {
  const { data } = useQuery(queries.agreement(ANYWHERE));
  const series = data?.series ?? [];
  const releases = useQuery({ ...queries.releases(), enabled: needsModels || series.length > 0 });
  const models = new Map(releases.data?.releases.map(({ id, modelId }) => [id, modelId]));
  const asked = [...new Set(series.flatMap(({ key }) => models.get(releaseOf(key)) ?? []))];
  const reports = useQueries({ queries: asked.map((id) => queries.candidates(id)) });
  const reported = new Map(
    reports.flatMap(
      (answer) =>
        answer.data?.candidates.map(({ id, report }) => [id, report.fidelity.agreement] as const) ??
        [],
    ),
  );
  return {
    agreement: series.map(({ key, total }) => ({
      ...{ releaseId: releaseOf(key), variantId: variantOf(key), total },
      reported: reported.get(variantOf(key)),
    })),
    modelOf: (releaseId) => models.get(releaseId),
  };
}

const releaseOf = (key: string): string => key.slice(0, Math.max(0, key.indexOf('/')));
