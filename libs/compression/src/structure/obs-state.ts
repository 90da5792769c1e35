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

const DAMPING = 1e-2;

/** A reader on the way of an elimination: its weights as compensated so far, and the inverse Gram. */
export interface ReaderState {
  readonly m: number;
  readonly n: number;
  /** The weights as they were. */
  readonly w0: Float64Array;
  /** The damped Gram. */
  readonly gram: Float64Array;
  readonly w: Float64Array;
  readonly h: Float64Array;
  readonly columns: readonly (readonly number[])[];
  /** Columns still there. */
  readonly live: Uint8Array;
  readonly scale: number;
}

/** A reader before any removal. */
export function openReader(reader: ObsReader): ReaderState {
  const n = reader.xx.rows;
  const damped = new Float64Array(reader.xx.data);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += damped[i * n + i] as number;
  const lambda = (DAMPING * trace) / Math.max(n, 1) + 1e-9;
  for (let i = 0; i < n; i++) damped[i * n + i] = (damped[i * n + i] as number) + lambda;
  return {
    m: reader.weight.rows,
    n,
    w0: reader.weight.data,
    gram: damped,
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

/** What removing a unit adds to the reader's error, over its output's energy. */
export function unitCost(state: ReaderState, unit: number): number {
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

/** Removes a unit: W -= W_u [(H⁻¹)_uu]⁻¹ (H⁻¹)_u,: and the same for H⁻¹ itself. */
export function removeUnit(state: ReaderState, unit: number): void {
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

/** What a removed unit would explain of the error if it came back, and how. */
interface Return {
  /** H_SS⁻¹ H_Su [n, b] */
  readonly reach: Float64Array;
  /** (H_uu - H_uS H_SS⁻¹ H_Su)⁻¹ [b, b] */
  readonly schur: Float64Array;
  /** (W0 - W) H_u [m, b] */
  readonly missing: Float64Array;
}

function returnOf(state: ReaderState, columns: readonly number[]): Return {
  const { m, n, w0, w, h, gram, live } = state;
  const b = columns.length;
  const reach = new Float64Array(n * b);
  for (let r = 0; r < n; r++) {
    if (live[r] !== 1) continue;
    for (let c = 0; c < n; c++) {
      if (live[c] !== 1) continue;
      const f = h[r * n + c] as number;
      for (let j = 0; j < b; j++) {
        const at = r * b + j;
        reach[at] = (reach[at] as number) + f * (gram[c * n + (columns[j] as number)] as number);
      }
    }
  }
  const block = new Float64Array(b * b);
  for (let i = 0; i < b; i++) {
    for (let j = 0; j < b; j++) {
      let sum = gram[(columns[i] as number) * n + (columns[j] as number)] as number;
      for (let c = 0; c < n; c++) {
        if (live[c] !== 1) continue;
        sum -= (gram[(columns[i] as number) * n + c] as number) * (reach[c * b + j] as number);
      }
      block[i * b + j] = sum;
    }
  }
  const missing = new Float64Array(m * b);
  for (let o = 0; o < m; o++) {
    for (let c = 0; c < n; c++) {
      const gap = (w0[o * n + c] as number) - (live[c] === 1 ? (w[o * n + c] as number) : 0);
      for (let j = 0; j < b; j++) {
        const at = o * b + j;
        missing[at] =
          (missing[at] as number) + gap * (gram[c * n + (columns[j] as number)] as number);
      }
    }
  }
  return {
    reach,
    schur: inverse(cholesky({ rows: b, cols: b, data: block })).data,
    missing,
  };
}

/** What bringing a removed unit back takes from the reader's error: tr(G Q Gᵀ). */
export function returnGain(state: ReaderState, unit: number): number {
  const columns = state.columns[unit] ?? [];
  if (columns.length === 0) return 0;
  const { schur, missing } = returnOf(state, columns);
  const b = columns.length;
  let gain = 0;
  for (let o = 0; o < state.m; o++) {
    for (let i = 0; i < b; i++) {
      for (let j = 0; j < b; j++) {
        gain +=
          (missing[o * b + i] as number) *
          (schur[i * b + j] as number) *
          (missing[o * b + j] as number);
      }
    }
  }
  return state.scale * gain;
}

/** Brings a removed unit back: the inverse of `removeUnit`, by block inversion. */
export function restoreUnit(state: ReaderState, unit: number): void {
  const columns = state.columns[unit] ?? [];
  if (columns.length === 0) return;
  const { m, n, w, h, live } = state;
  const b = columns.length;
  const { reach, schur, missing } = returnOf(state, columns);
  const times = new Float64Array(n * b);
  for (let r = 0; r < n; r++) {
    for (let i = 0; i < b; i++) {
      let sum = 0;
      for (let j = 0; j < b; j++)
        sum += (reach[r * b + j] as number) * (schur[j * b + i] as number);
      times[r * b + i] = sum;
    }
  }
  for (let o = 0; o < m; o++) {
    for (let i = 0; i < b; i++) {
      let own = 0;
      for (let j = 0; j < b; j++)
        own += (missing[o * b + j] as number) * (schur[j * b + i] as number);
      for (let c = 0; c < n; c++) {
        if (live[c] !== 1) continue;
        w[o * n + c] = (w[o * n + c] as number) - own * (reach[c * b + i] as number);
      }
      w[o * n + (columns[i] as number)] = own;
    }
  }
  for (let r = 0; r < n; r++) {
    if (live[r] !== 1) continue;
    for (let c = 0; c < n; c++) {
      if (live[c] !== 1) continue;
      let sum = 0;
      for (let i = 0; i < b; i++)
        sum += (times[r * b + i] as number) * (reach[c * b + i] as number);
      h[r * n + c] = (h[r * n + c] as number) + sum;
    }
  }
  for (let i = 0; i < b; i++) {
    const column = columns[i] as number;
    h.fill(0, column * n, (column + 1) * n);
    for (let r = 0; r < n; r++) {
      if (live[r] !== 1) continue;
      h[r * n + column] = -(times[r * b + i] as number);
      h[column * n + r] = -(times[r * b + i] as number);
    }
    for (let j = 0; j < b; j++) h[column * n + (columns[j] as number)] = schur[i * b + j] as number;
  }
  for (const column of columns) live[column] = 1;
}
