import type { CompressionReport } from '@espalier/compression';
import type { Candidate, CandidateCosts } from '@espalier/tuning';

/** A stored candidate as planning takes it. Only a share of right answers counts as accuracy. */
export function planningCandidate(stored: {
  readonly id: string;
  readonly report: CompressionReport;
  readonly costs: CandidateCosts;
}): Candidate {
  const { id, report, costs } = stored;
  const { variant, quality, fidelity, artifact } = report;
  return {
    id,
    precision: variant.precision,
    costs,
    accuracy: quality?.metric === 'top-1 accuracy' ? quality.after : null,
    fidelity,
    artifactBytes: artifact.bytes,
    modelBytes: variant.bytes,
    peakRamBytes: variant.peakRamBytes,
  };
}
