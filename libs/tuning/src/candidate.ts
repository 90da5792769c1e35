import type { CandidateCosts } from './costs.js';

/** How far a variant's outputs stray from the original's; lower error is better. */
export interface Fidelity {
  readonly meanKl?: number | undefined;
  readonly meanSquaredError?: number | undefined;
  /** Share of samples with the same decision, 0 to 1. */
  readonly agreement?: number | null | undefined;
}

/** A variant that could be sent: what it costs, and how good it is. */
export interface Candidate {
  readonly id: string;
  readonly precision: 'fp32' | 'int8';
  readonly costs: CandidateCosts;
  /** Share of right answers on the evaluation set, 0 to 1; null: there were no labels. */
  readonly accuracy: number | null;
  readonly fidelity: Fidelity | null;
  /** What is sent, bytes. */
  readonly artifactBytes: number;
  /** The model file on the device, bytes. */
  readonly modelBytes: number;
  /** Weights plus the activation arena at batch 1, bytes, without the runtime. */
  readonly peakRamBytes: number;
}

/** By what the candidates of one set are ordered: the same measure for all of them. */
export type QualityMeasure = 'accuracy' | 'agreement' | 'meanKl' | 'meanSquaredError';

const MEASURES: readonly QualityMeasure[] = ['accuracy', 'agreement', 'meanKl', 'meanSquaredError'];

/** The best measure that every candidate has; null: they cannot be compared. */
export function qualityMeasure(candidates: readonly Candidate[]): QualityMeasure | null {
  return (
    MEASURES.find((measure) => candidates.every((one) => measured(one, measure) !== null)) ?? null
  );
}

/** The candidate's quality under a measure; higher is better. */
export function quality(candidate: Candidate, measure: QualityMeasure): number {
  const value = measured(candidate, measure) ?? Number.NEGATIVE_INFINITY;
  return measure === 'accuracy' || measure === 'agreement' ? value : -value;
}

function measured(candidate: Candidate, measure: QualityMeasure): number | null {
  return measure === 'accuracy' ? candidate.accuracy : (candidate.fidelity?.[measure] ?? null);
}
