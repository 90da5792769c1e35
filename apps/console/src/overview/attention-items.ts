import { METRICS, valueText } from '../alerts/alert-words';
import type {
  AgreementFigures,
  Alert,
  FleetSummary,
  RolloutStatus,
  RolloutSummary,
  VariantDrift,
} from '../api/types';
import { percent, some } from '../parts/format';
import type { Tone } from '../parts/tone';
import { agreementText, intervalText, isUnderReport } from '../telemetry/agreement-words';
import { chanceText } from '../telemetry/drift-words';

/** One thing to look at, and where. */
export interface AttentionItem {
  readonly key: string;
  readonly tone: Tone;
  readonly title: string;
  readonly detail: string;
  readonly to: string;
}

export interface AgreementOfVariant {
  readonly releaseId: string;
  readonly variantId: string;
  readonly total: AgreementFigures;
  /** Agreement that the report of the variant gives. */
  readonly reported: number | undefined;
}

const WAITING: Readonly<Partial<Record<RolloutStatus, string>>> = {
  awaiting: 'waits to be approved',
  held: 'is held: a gate could not be judged',
  paused: 'is paused',
  halting: 'is being taken back',
};

/** What somebody should look at, the worst first. */
export function attentionItems({
  summary,
  alerts,
  rollouts,
  drifting,
  agreement,
  modelOf,
}: {
  summary: FleetSummary;
  alerts: readonly Alert[];
  rollouts: readonly RolloutSummary[];
  drifting: readonly VariantDrift[];
  agreement: readonly AgreementOfVariant[];
  modelOf: (releaseId: string) => string | undefined;
}): AttentionItem[] {
  const active = alerts.filter(({ state }) => state === 'active');
  const isTold = (metric: Alert['metric'], variantId: string): boolean =>
    active.some((alert) => alert.metric === metric && alert.variantId === variantId);
  const page = (releaseId: string, variantId: string): string => {
    const modelId = modelOf(releaseId);
    return modelId === undefined ? '/models' : `/models/${modelId}?candidate=${variantId}`;
  };
  const items: AttentionItem[] = [
    ...active
      .filter(({ acknowledgedBy }) => acknowledgedBy === null)
      .map((alert): AttentionItem => ({
        key: alert.id,
        tone: 'bad',
        title: alert.name,
        detail: `${METRICS[alert.metric].name} ${valueText(alert)}, ${alert.variantId ?? 'the fleet'}`,
        to: '/alerts',
      })),
    ...drifting
      .filter(({ variantId }) => !isTold('drift', variantId))
      .map(({ releaseId, variantId, days, restsOn }): AttentionItem => ({
        key: `drift/${releaseId}/${variantId}`,
        tone: 'bad',
        title: `${variantId} drifts`,
        detail: `${restsOn}; ${chanceText(days)}`,
        to: page(releaseId, variantId),
      })),
    ...agreement
      .filter(
        ({ total, reported, variantId }) =>
          isUnderReport(total, reported) && !isTold('agreement', variantId),
      )
      .map(({ releaseId, variantId, total, reported = 0 }): AttentionItem => ({
        key: `agreement/${releaseId}/${variantId}`,
        tone: 'bad',
        title: `${variantId} agrees less with its model than in its report`,
        detail: `${agreementText(total)} (${intervalText(total)}) against ${percent(reported)}`,
        to: page(releaseId, variantId),
      })),
    ...rollouts.flatMap(({ id, model, version, status }): AttentionItem[] => {
      const what = WAITING[status];
      if (what === undefined) return [];
      const tone = status === 'halting' ? 'bad' : 'wait';
      const to = `/rollouts/${id}`;
      return [{ key: id, tone, title: `${model} v${version} ${what}`, detail: 'Rollout', to }];
    }),
    ...devices('failed', devicesIn(summary, 'failed'), 'failed', '/fleet?state=failed'),
    ...devices('refused', devicesIn(summary, 'refused'), 'refused it', '/fleet?state=refused'),
    ...devices('quarantine', summary.quarantined, 'in quarantine', '/fleet?quarantined=true'),
  ];
  return [
    ...items.filter(({ tone }) => tone === 'bad'),
    ...items.filter(({ tone }) => tone !== 'bad'),
  ];
}

const devicesIn = ({ states }: FleetSummary, state: string): number =>
  states.find((one) => one.state === state)?.devices ?? 0;

function devices(key: string, count: number, what: string, to: string): AttentionItem[] {
  if (count === 0) return [];
  return [
    {
      ...{ key, tone: 'bad' as const, to },
      title: `${some(count, 'device')} ${what}`,
      detail: key === 'quarantine' ? 'no rollout takes them until it is ended' : 'see why on each',
    },
  ];
}
