import { errorShare, type ChangeEstimate, type LevelEstimate } from '@espalier/evidence';
import type { RolloutSpec } from '../spec.js';
import type { RolloutHead } from '../state.js';
import { judgeAccuracy, type AccuracyNumbers, type EvidenceVerdict } from './accuracy.js';
import { judgeDeviceShare, type DeviceMetric, type DeviceShareNumbers } from './device-share.js';

/** Metrics that are judged device by device. */
export const DEVICE_METRICS: readonly DeviceMetric[] = ['latency', 'memory', 'restarts'];
export type Metric = 'accuracy' | DeviceMetric;

/** Accuracy finds harm that nothing else finds, and needs the most samples for it. */
const WEIGHTS: Readonly<Record<Metric, number>> = {
  accuracy: 3,
  latency: 1,
  memory: 1,
  restarts: 1,
};

/** What was measured of one variant; a metric that is absent or null was not measured at all. */
export type VariantEvidence = {
  readonly accuracy?:
    | ({ readonly compared: 'with-control' } & ChangeEstimate)
    | ({ readonly compared: 'no-control' } & LevelEstimate)
    | null;
} & Readonly<
  Partial<Record<DeviceMetric, Pick<DeviceShareNumbers, 'over' | 'within' | 'unknown'> | null>>
>;

/** What was measured until now, by variant. */
export type Evidence = Readonly<Record<string, VariantEvidence>>;

/** Metrics that the gate judges by evidence. */
export const metricsOf = ({ gate }: RolloutSpec): Metric[] =>
  (['accuracy', ...DEVICE_METRICS] as const).filter((metric) => gate[metric] !== undefined);

/** Probability of a wrong decision that one metric of one variant may spend in a stage. */
export function errorOf(
  { spec, variants }: Pick<RolloutHead, 'spec' | 'variants'>,
  stage: number,
  metric: Metric,
): number {
  return errorShare(
    {
      total: spec.gate.errorBudget,
      variants: Math.max(1, Object.keys(variants).length),
      stages: spec.stages.length,
      metrics: Object.fromEntries(metricsOf(spec).map((one) => [one, WEIGHTS[one]])),
    },
    stage,
    metric,
  );
}

/** One metric's verdict on a variant, and the numbers that it follows from; null: not measured. */
export type Judged =
  | { readonly rule: 'accuracy'; verdict: EvidenceVerdict; numbers: AccuracyNumbers | null }
  | { readonly rule: DeviceMetric; verdict: EvidenceVerdict; numbers: DeviceShareNumbers | null };

/** Judges one variant in the open stage. What was not measured is waited for, never passed. */
export function judgeVariant(
  head: Pick<RolloutHead, 'spec' | 'variants'>,
  stage: number,
  variantId: string,
  evidence: VariantEvidence | undefined,
): Judged[] {
  return metricsOf(head.spec).map((metric): Judged => {
    if (metric === 'accuracy') {
      const numbers = accuracyNumbers(head, stage, variantId, evidence?.accuracy ?? null);
      return { rule: metric, verdict: numbers ? judgeAccuracy(numbers) : 'wait', numbers };
    }
    const counts = evidence?.[metric] ?? null;
    const numbers = counts && {
      ...counts,
      maxShare: head.spec.gate[metric]?.maxShare ?? 0,
    };
    return { rule: metric, verdict: numbers ? judgeDeviceShare(numbers) : 'wait', numbers };
  });
}

function accuracyNumbers(
  head: Pick<RolloutHead, 'spec' | 'variants'>,
  stage: number,
  variantId: string,
  measured: VariantEvidence['accuracy'] | null,
): AccuracyNumbers | null {
  const gate = head.spec.gate.accuracy;
  if (!gate || !measured) return null;
  const common = { minLabels: gate.minLabels, error: errorOf(head, stage, 'accuracy') };
  if (measured.compared === 'with-control') {
    const { effect, variance, labels, devices } = measured;
    return {
      compared: 'with-control',
      estimate: effect,
      variance,
      labels,
      devices,
      stopUnder: -gate.tolerated,
      passOver: -gate.intolerable,
      ...common,
    };
  }
  const expected = head.variants[variantId]?.expectedAccuracy ?? null;
  if (expected === null) return null;
  const { level, variance, labels, devices } = measured;
  return {
    compared: 'no-control',
    estimate: level,
    variance,
    labels: { treated: labels, control: 0 },
    devices: { treated: devices, control: 0 },
    stopUnder: expected - gate.tolerated,
    passOver: expected - gate.intolerable,
    ...common,
  };
}
