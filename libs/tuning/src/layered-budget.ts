import { type Budget, BUDGET_LIMITS, type BudgetLimit } from '@espalier/protocol';

/**
 * The budget that holds where several apply: each limit, with whether it is hard, comes from the last
 * layer that names it.
 * @param layers the widest first: the fleet's default, labels, the device's own
 */
export function layeredBudget(layers: readonly Budget[]): Budget {
  const limits: Partial<Record<BudgetLimit, number>> = {};
  const soft = new Set<BudgetLimit>();
  for (const layer of layers) {
    for (const limit of BUDGET_LIMITS) {
      const value = layer[limit];
      if (value === undefined) continue;
      limits[limit] = value;
      if (layer.soft?.includes(limit)) soft.add(limit);
      else soft.delete(limit);
    }
  }
  return soft.size > 0 ? { ...limits, soft: [...soft] } : limits;
}
