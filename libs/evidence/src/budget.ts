/** How often one rollout may be stopped for nothing, and among what that is shared. */
export interface BudgetShares {
  /** Largest probability that anything at all is stopped wrongly. */
  readonly total: number;
  readonly variants: number;
  readonly stages: number;
  /** Weight of each metric that is judged; only their proportions matter. */
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Error probability of one test: that of `metric` on one variant in one stage (from 0). Over all of
 * them they add up to no more than the total, so by the union bound no rollout is stopped wrongly
 * more often than that, however the tests depend on each other. A stage gets half of what the stages
 * before it left, the last one the rest: harm should be found where few devices have it.
 */
export function errorShare(budget: BudgetShares, stage: number, metric: string): number {
  const weights = Object.values(budget.metrics).reduce((sum, weight) => sum + weight, 0);
  const ofStage = 0.5 ** Math.min(stage + 1, budget.stages - 1);
  return (budget.total * ofStage * (budget.metrics[metric] ?? 0)) / weights / budget.variants;
}
