/** What a layer loses by each removal, and what that does to the model's output. */
export interface LossCurve {
  /** Costs of removals, ascending; as many as the layer has weights. */
  readonly costs: Float64Array;
  /** Loss of the model for each unit of cost. */
  readonly importance: number;
}

/** Largest share of one layer that goes. */
const MOST = 0.95;

/** Halvings of the cost at which to stop: more than a double can tell apart. */
const HALVINGS = 120;

/**
 * Shares a number of removals out so that the last one costs the model the same in every layer,
 * which makes the sum least, as costs rise along each curve.
 * @returns removals of each layer; fewer in all than `count` only where every layer is at its most
 */
export function shareOut(curves: readonly LossCurve[], count: number): number[] {
  const upTo = (limit: number): number[] =>
    curves.map(({ costs, importance }) =>
      Math.min(countUpTo(costs, limit / importance), Math.floor(costs.length * MOST)),
    );
  // `low` always stands for too few removals.
  let low = -1;
  let high = Math.max(
    0,
    ...curves.map(({ costs, importance }) => importance * (costs[costs.length - 1] ?? 0)),
  );
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (sum(upTo(middle)) < count) low = middle;
    else high = middle;
  }
  const fewer = upTo(low);
  let over = Math.max(sum(upTo(high)) - count, 0);
  return upTo(high).map((removals, i) => {
    // Removals of equal cost come together: what is too much is taken back from those alone.
    const back = Math.min(over, removals - (fewer[i] ?? 0));
    over -= back;
    return removals - back;
  });
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** How many of ascending values are at most `limit`. */
function countUpTo(values: Float64Array, limit: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
