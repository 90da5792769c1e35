import type { Candidate } from '../api/types';

/** What a candidate costs, by the name of what is counted. */
export const COSTS = {
  macs: {
    name: 'Multiplications',
    unit: 'M',
    of: ({ report }: Candidate) => report.variant.macs / 1e6,
  },
  artifact: {
    name: 'Bytes sent',
    unit: 'KiB',
    of: ({ artifact }: Candidate) => artifact.bytes / 1024,
  },
  memory: {
    name: 'Peak memory',
    unit: 'MiB',
    of: ({ report }: Candidate) => report.variant.peakRamBytes / 2 ** 20,
  },
} as const;
export type CostName = keyof typeof COSTS;

/** What a candidate keeps: accuracy on labelled data, else how often it agrees with the model. */
export const keptOf = ({ report }: Candidate): number =>
  report.quality?.after ?? report.fidelity.agreement;

/** Whether accuracies are from labelled data. */
export const isLabelled = (candidates: readonly Candidate[]): boolean =>
  candidates.every(({ report }) => report.quality !== null);

/** Candidates that no other beats in what they keep, multiplications and bytes sent alike. */
export function frontOf(candidates: readonly Candidate[]): ReadonlySet<string> {
  const measures = (one: Candidate): number[] => [
    -keptOf(one),
    one.report.variant.macs,
    one.artifact.bytes,
  ];
  const beats = (a: readonly number[], b: readonly number[]): boolean =>
    a.every((value, at) => value <= (b[at] ?? 0)) && a.some((value, at) => value < (b[at] ?? 0));
  return new Set(
    candidates
      .filter((one) => !candidates.some((other) => beats(measures(other), measures(one))))
      .map(({ id }) => id),
  );
}
