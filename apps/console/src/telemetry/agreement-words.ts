import type { AgreementFigures } from '../api/types';
import { percent } from '../parts/format';

/** The share of samples to which both models gave one class, or how far their outputs were apart. */
export function agreementText({ agreement, distance }: AgreementFigures): string {
  if (agreement) return percent(agreement.value);
  return distance ? `${distance.mean.toPrecision(3)} apart` : '–';
}

/** The 95 % interval of {@link agreementText}. */
export function intervalText({ agreement, distance }: AgreementFigures): string {
  if (agreement) return agreement.interval.map((end) => percent(Number(end))).join(' to ');
  if (!distance) return '–';
  return distance.interval.map((end) => Number(end).toPrecision(3)).join(' to ');
}

/** Whether even the upper end of the interval is less than the report of the variant gives. */
export const isUnderReport = (
  { agreement }: AgreementFigures,
  reported: number | undefined,
): boolean =>
  agreement !== null && reported !== undefined && Number(agreement.interval[1]) < reported;
