import type { Alert, AlertRule } from '../api/types';
import { milliseconds, percent } from '../parts/format';

type Metric = AlertRule['metric'];

/** What a metric is called, and how a value of it is written. */
export const METRICS: Readonly<
  Record<Metric, { name: string; below: boolean; unit: string; show: (value: number) => string }>
> = {
  accuracy: { name: 'Accuracy', below: true, unit: 'share', show: (value) => percent(value) },
  agreement: {
    name: 'Agreement with the dense model',
    below: true,
    unit: 'share',
    show: (value) => percent(value),
  },
  drift: {
    name: 'Drift',
    below: false,
    unit: 'days',
    show: (value) => `${Number(value.toPrecision(3))} days`,
  },
  latency: {
    name: 'Latency, p95',
    below: false,
    unit: 'ms',
    show: milliseconds,
  },
  memory: { name: 'Memory', below: false, unit: 'MiB', show: (value) => `${value.toFixed(0)} MiB` },
  'crash-loop': {
    name: 'Restarts in an hour',
    below: false,
    unit: 'restarts',
    show: (value) => value.toFixed(1),
  },
  silence: { name: 'Silent devices', below: false, unit: 'share', show: (value) => percent(value) },
};

/** `Accuracy under 90.0 %`. */
export function thresholdText({ metric, raise }: Pick<AlertRule, 'metric' | 'raise'>): string {
  const { name, below, show } = METRICS[metric];
  return `${name} ${below ? 'under' : 'over'} ${show(raise)}`;
}

export const valueText = ({ metric, value }: Alert): string => METRICS[metric].show(value);
