import type { RolloutRequest } from '../api/types';

/** The rules of a rollout as the form holds them; an empty number leaves a rule out. */
export interface Rules {
  readonly stages: readonly { readonly percent: number | string; readonly approval: boolean }[];
  readonly soakSeconds: number | string;
  readonly deadlineMinutes: number | string;
  readonly maxFailedPercent: number | string;
  readonly minSample: number | string;
  readonly scope: 'rollout' | 'variant';
  readonly controlPercent: number | string;
  readonly accuracy: boolean;
  readonly toleratedPoints: number | string;
  readonly intolerablePoints: number | string;
  readonly maxLatencyRatio: number | string;
  readonly maxMemoryRatio: number | string;
}

export const USUAL: Rules = {
  stages: [
    { percent: 5, approval: false },
    { percent: 25, approval: false },
    { percent: 100, approval: true },
  ],
  soakSeconds: 60,
  deadlineMinutes: 60,
  maxFailedPercent: 10,
  minSample: 1,
  scope: 'variant',
  controlPercent: '',
  accuracy: false,
  toleratedPoints: 1,
  intolerablePoints: 6,
  maxLatencyRatio: '',
  maxMemoryRatio: '',
};

/** What the server is asked for; it checks every rule itself. */
export function requestOf(rules: Rules, releaseId: string, planId: string): RolloutRequest {
  const given = (value: number | string): value is number => typeof value === 'number';
  const { controlPercent, maxLatencyRatio, maxMemoryRatio } = rules;
  return {
    releaseId,
    planId,
    stages: rules.stages.map(({ percent, approval }) => ({ percent: Number(percent), approval })),
    soakSeconds: Number(rules.soakSeconds),
    deviceDeadlineSeconds: 60 * Number(rules.deadlineMinutes),
    ...(given(controlPercent) ? { control: { percent: controlPercent } } : {}),
    gate: {
      maxFailedShare: Number(rules.maxFailedPercent) / 100,
      minSample: Number(rules.minSample),
      scope: rules.scope,
      ...(rules.accuracy
        ? {
            accuracy: {
              tolerated: Number(rules.toleratedPoints) / 100,
              intolerable: Number(rules.intolerablePoints) / 100,
            },
          }
        : {}),
      ...(given(maxLatencyRatio) ? { latency: { maxRatio: maxLatencyRatio } } : {}),
      ...(given(maxMemoryRatio) ? { memory: { maxRatio: maxMemoryRatio } } : {}),
    },
  };
}
