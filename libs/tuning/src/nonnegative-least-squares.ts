/**
 * Costs >= 0 that minimise the squared error of `rows` times costs against `targets`, each row
 * weighted, with a slight pull to zero that decides between features no row tells apart. Cyclic
 * coordinate descent on the normal equations, features scaled to their largest value.
 */
export function nonnegativeLeastSquares(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  weights: readonly number[],
): number[] {
  const width = rows[0]?.length ?? 0;
  const scale = new Float64Array(width);
  rows.forEach((row, at) => {
    const weight = weights[at] ?? 0;
    for (let i = 0; i < width; i++) scale[i] = Math.max(scale[i] ?? 0, (row[i] ?? 0) * weight);
  });
  const gram = new Float64Array(width * width);
  const moment = new Float64Array(width);
  rows.forEach((row, at) => {
    const weight = weights[at] ?? 0;
    const target = (targets[at] ?? 0) * weight;
    for (let i = 0; i < width; i++) {
      const a = scaled(row, i, weight, scale);
      moment[i] = (moment[i] ?? 0) + a * target;
      for (let j = 0; j < width; j++) {
        gram[i * width + j] = (gram[i * width + j] ?? 0) + a * scaled(row, j, weight, scale);
      }
    }
  });
  const costs = descend(gram, moment, width);
  return Array.from(costs, (cost, i) => ((scale[i] ?? 0) > 0 ? cost / (scale[i] ?? 1) : 0));
}

const RIDGE = 1e-4;
const SWEEPS = 200;
const TOLERANCE = 1e-7;

function scaled(row: readonly number[], i: number, weight: number, scale: Float64Array): number {
  const by = scale[i] ?? 0;
  return by > 0 ? ((row[i] ?? 0) * weight) / by : 0;
}

function descend(gram: Float64Array, moment: Float64Array, width: number): Float64Array {
  const costs = new Float64Array(width);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let moved = 0;
    let largest = 0;
    for (let i = 0; i < width; i++) {
      const own = gram[i * width + i] ?? 0;
      if (own <= 0) continue;
      let rest = moment[i] ?? 0;
      for (let j = 0; j < width; j++) {
        if (j !== i) rest -= (gram[i * width + j] ?? 0) * (costs[j] ?? 0);
      }
      const next = Math.max(0, rest / (own * (1 + RIDGE)));
      moved = Math.max(moved, Math.abs(next - (costs[i] ?? 0)));
      largest = Math.max(largest, next);
      costs[i] = next;
    }
    if (moved <= TOLERANCE * largest) break;
  }
  return costs;
}
