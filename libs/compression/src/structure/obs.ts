import { cholesky, inverse, type Matrix } from '../linear-algebra/cholesky.js';

/** One layer that reads the channels to be ordered. */
export interface ObsReader {
  /** Weights [m, n]. */
  readonly weight: Matrix;
  /** Second moments of what it reads about the mean [n, n]. */
  readonly xx: Matrix;
  /** Columns of each unit, in the order of the units. */
  readonly columns: readonly (readonly number[])[];
  /** Weight of this reader's error against the others'. */
  readonly share: number;
}

/** Units in the order in which they go, and the error after each. */
export interface RemovalOrder {
  /** Indices into the units, first to go first. */
  readonly order: readonly number[];
  /** Sum over readers of the squared error over the output's energy after `i + 1` removals. */
  readonly errors: readonly number[];
}

const DAMPING = 1e-2;

/**
 * Block Optimal Brain Surgeon: removes, one after another, the unit whose columns cost the readers
 * least when the other columns make up for it, tr(W_u [(H⁻¹)_uu]⁻¹ W_uᵀ), and updates weights and
 * inverse Gram. The order is nested: every width comes from one pass.
 * (Hassibi and Stork 1993; blocks after Kurtic and others, ZipLM, arXiv 2302.04089.)
 */
export function removalOrder(units: number, readers: readonly ObsReader[]): RemovalOrder {
  const states = readers.map(openReader);
  const left = new Set(Array.from({ length: units }, (_, u) => u));
  const order: number[] = [];
  const errors: number[] = [];
  let total = 0;
  while (left.size > 1) {
    let best = -1;
    let least = Infinity;
    for (const unit of left) {
      let cost = 0;
      for (const state of states) cost += unitCost(state, unit);
      if (cost < least) [best, least] = [unit, cost];
    }
    if (best < 0) break;
    left.delete(best);
    order.push(best);
    total += Math.max(least, 0);
    errors.push(total);
    for (const state of states) removeUnit(state, best);
  }
  order.push(...left);
  errors.push(Math.max(total, 1));
  return { order, errors };
}

interface ReaderState {
  readonly m: number;
  readonly n: number;
  readonly w: Float64Array;
  readonly h: Float64Array;
  readonly columns: readonly (readonly number[])[];
  /** Columns still there. */
  readonly live: Uint8Array;
  readonly scale: number;
}

function openReader(reader: ObsReader): ReaderState {
  const n = reader.xx.rows;
  const damped = new Float64Array(reader.xx.data);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += damped[i * n + i] as number;
  const lambda = (DAMPING * trace) / Math.max(n, 1) + 1e-9;
  for (let i = 0; i < n; i++) damped[i * n + i] = (damped[i * n + i] as number) + lambda;
  return {
    m: reader.weight.rows,
    n,
    w: new Float64Array(reader.weight.data),
    h: inverse(cholesky({ rows: n, cols: n, data: damped })).data,
    columns: reader.columns,
    live: new Uint8Array(n).fill(1),
    scale: reader.share / Math.max(energyOf(reader), 1e-30),
  };
}

/** tr(W X Xᵀ Wᵀ): the variance of the output. */
function energyOf({ weight, xx }: ObsReader): number {
  const n = xx.rows;
  let energy = 0;
  for (let o = 0; o < weight.rows; o++) {
    for (let i = 0; i < n; i++) {
      const wi = weight.data[o * n + i] as number;
      if (wi === 0) continue;
      let sum = 0;
      for (let j = 0; j < n; j++)
        sum += (xx.data[i * n + j] as number) * (weight.data[o * n + j] as number);
      energy += wi * sum;
    }
  }
  return energy;
}

function unitCost(state: ReaderState, unit: number): number {
  const columns = state.columns[unit] ?? [];
  if (columns.length === 0) return 0;
  if (columns.length === 1) {
    const c = columns[0] as number;
    let sum = 0;
    for (let o = 0; o < state.m; o++) sum += (state.w[o * state.n + c] as number) ** 2;
    return (state.scale * sum) / (state.h[c * state.n + c] as number);
  }
  const inv = blockInverse(state, columns);
  const b = columns.length;
  let sum = 0;
  for (let o = 0; o < state.m; o++) {
    const row = o * state.n;
    for (let i = 0; i < b; i++) {
      const wi = state.w[row + (columns[i] as number)] as number;
      if (wi === 0) continue;
      let inner = 0;
      for (let j = 0; j < b; j++) {
        inner += (inv[i * b + j] as number) * (state.w[row + (columns[j] as number)] as number);
      }
      sum += wi * inner;
    }
  }
  return state.scale * sum;
}

function blockInverse(state: ReaderState, columns: readonly number[]): Float64Array {
  const b = columns.length;
  const block = new Float64Array(b * b);
  for (let i = 0; i < b; i++) {
    for (let j = 0; j < b; j++) {
      block[i * b + j] = state.h[
        (columns[i] as number) * state.n + (columns[j] as number)
      ] as number;
    }
  }
  return inverse(cholesky({ rows: b, cols: b, data: block })).data;
}

/** W -= W_u [(H⁻¹)_uu]⁻¹ (H⁻¹)_u,: and the same for H⁻¹ itself. */
function removeUnit(state: ReaderState, unit: number): void {
  const columns = state.columns[unit] ?? [];
  if (columns.length === 0) return;
  const { n, m, w, h, live } = state;
  const b = columns.length;
  const inv = blockInverse(state, columns);
  const gain = new Float64Array(b * n);
  for (let i = 0; i < b; i++) {
    for (let l = 0; l < b; l++) {
      const f = inv[i * b + l] as number;
      const from = (columns[l] as number) * n;
      for (let j = 0; j < n; j++) {
        gain[i * n + j] = (gain[i * n + j] as number) + f * (h[from + j] as number);
      }
    }
  }
  const factors = new Float64Array(b);
  const subtractRow = (target: Float64Array, row: number): void => {
    for (let i = 0; i < b; i++) factors[i] = target[row + (columns[i] as number)] as number;
    for (let i = 0; i < b; i++) {
      const f = factors[i] as number;
      if (f === 0) continue;
      const g = i * n;
      for (let j = 0; j < n; j++)
        target[row + j] = (target[row + j] as number) - f * (gain[g + j] as number);
    }
  };
  for (let o = 0; o < m; o++) subtractRow(w, o * n);
  for (let r = 0; r < n; r++) if (live[r] === 1) subtractRow(h, r * n);
  for (const c of columns) live[c] = 0;
}
