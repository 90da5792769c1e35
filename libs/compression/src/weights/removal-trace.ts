import { cholesky, inverse, type Matrix, pick, solveRows } from '../linear-algebra/cholesky.js';

/** Most columns whose weights make up for each other while an order is sought. */
const BLOCK_COLUMNS = 512;

/** Sweeps over the blocks when the weights that stay are solved for. */
const SWEEPS = 3;

/** The weights of one output in one block of columns, in the order in which they go. */
export interface RemovalTrace {
  readonly row: number;
  /** Columns, first to go first. */
  readonly columns: Int32Array;
  /** Squared error that each removal adds, never less than the one before it. */
  readonly costs: Float64Array;
}

/**
 * Optimal Brain Surgeon for single weights: in each row, the weight whose removal costs least when
 * the others make up for it, w² / [H⁻¹]_pp, goes next; row and inverse are updated each time. Wide
 * rows are taken in blocks of columns. (Hassibi and Stork 1993; row by row after Frantar and
 * Alistarh, Optimal Brain Compression, arXiv 2208.11580.)
 * @param weight [m, n]
 * @param hessian [n, n], positive definite: the squared error is (w - w0) H (w - w0)ᵀ
 */
export function traceRemovals(weight: Matrix, hessian: Matrix): RemovalTrace[] {
  const traces: RemovalTrace[] = [];
  for (const columns of columnBlocks(weight.cols)) {
    const { data } = inverse(cholesky(pick(hessian, columns, columns)));
    const scratch = new Float64Array(data.length);
    for (let row = 0; row < weight.rows; row++) {
      const values = Float64Array.from(
        columns,
        (c) => weight.data[row * weight.cols + c] as number,
      );
      scratch.set(data);
      traces.push(traceRow(row, values, scratch, columns));
    }
  }
  return traces;
}

/** @param h inverse Hessian; its lower half is changed, as `w` is */
function traceRow(
  row: number,
  w: Float64Array,
  h: Float64Array,
  columns: readonly number[],
): RemovalTrace {
  const n = w.length;
  const places = Int32Array.from(columns);
  const order = new Int32Array(n);
  const costs = new Float64Array(n);
  const gone = new Float64Array(n);
  let worst = 0;
  for (let size = n; size > 0; size--) {
    let best = 0;
    let least = Infinity;
    for (let i = 0; i < size; i++) {
      const cost = (w[i] as number) ** 2 / (h[i * n + i] as number);
      if (cost < least) [best, least] = [i, cost];
    }
    const last = size - 1;
    for (let j = 0; j < size; j++) {
      gone[j] = (j < best ? h[best * n + j] : h[j * n + best]) as number;
    }
    const [value, diagonal] = [w[best] as number, gone[best] as number];
    order[n - size] = places[best] as number;
    worst = Math.max(worst, Number.isFinite(least) ? least : worst);
    costs[n - size] = worst;
    // The last weight takes the place of the one that goes, so that the rest lie together.
    places[best] = places[last] as number;
    w[best] = w[last] as number;
    for (let j = 0; j < best; j++) h[best * n + j] = h[last * n + j] as number;
    for (let i = best + 1; i < last; i++) h[i * n + best] = h[last * n + i] as number;
    h[best * n + best] = h[last * n + last] as number;
    gone[best] = gone[last] as number;
    for (let i = 0; i < last; i++) {
      const factor = (gone[i] as number) / diagonal;
      if (factor === 0) continue;
      w[i] = (w[i] as number) - value * factor;
      const from = i * n;
      for (let j = 0; j <= i; j++) {
        h[from + j] = (h[from + j] as number) - factor * (gone[j] as number);
      }
    }
  }
  return { row, columns: order, costs };
}

/**
 * Which weights go when `count` of them do, those that cost least first.
 * @returns 1 for each weight [m, n] that goes
 */
export function removeCheapest(
  traces: readonly RemovalTrace[],
  count: number,
  { rows, cols }: Matrix,
): Uint8Array {
  const sorted = sortedCosts(traces);
  const limit = sorted[count - 1] ?? -1;
  const removed = new Uint8Array(rows * cols);
  let left = count;
  // Ties at the limit go only after all that cost less.
  for (const within of [(cost: number) => cost < limit, (cost: number) => cost === limit]) {
    for (const { row, columns, costs } of traces) {
      for (let i = 0; i < columns.length && left > 0; i++) {
        if (!within(costs[i] as number)) continue;
        removed[row * cols + (columns[i] as number)] = 1;
        left--;
      }
    }
  }
  return removed;
}

/** The costs of all removals of a layer, ascending. */
export function sortedCosts(traces: readonly RemovalTrace[]): Float64Array {
  const costs = new Float64Array(traces.reduce((sum, trace) => sum + trace.costs.length, 0));
  let at = 0;
  for (const trace of traces) {
    costs.set(trace.costs, at);
    at += trace.costs.length;
  }
  return costs.sort();
}

/**
 * The weights that stay, at the least of (w - w0) H (w - w0)ᵀ with the others zero: exact in one
 * block of columns, block by block in turns where there are several.
 * @param removed 1 for each weight [m, n] that goes
 */
export function solveRemaining(weight: Matrix, hessian: Matrix, removed: Uint8Array): Matrix {
  const { rows, cols } = weight;
  const out = Float64Array.from(weight.data, (w, i) => (removed[i] === 1 ? 0 : w));
  const blocks = columnBlocks(cols);
  for (let sweep = 0; sweep < (blocks.length > 1 ? SWEEPS : 1); sweep++) {
    for (const block of blocks) {
      for (let row = 0; row < rows; row++) {
        const from = row * cols;
        const stays = block.filter((c) => removed[from + c] === 0);
        if (stays.length === cols || stays.length === 0) continue;
        // Gradient at the weights that stay: H (w0 - w), by which they move.
        const gradient = Float64Array.from(stays, (c) => {
          let sum = 0;
          for (let j = 0; j < cols; j++) {
            const short = (weight.data[from + j] as number) - (out[from + j] as number);
            sum += (hessian.data[c * cols + j] as number) * short;
          }
          return sum;
        });
        const system = cholesky(pick(hessian, stays, stays));
        const step = solveRows(system, { rows: 1, cols: stays.length, data: gradient });
        stays.forEach((c, i) => {
          out[from + c] = (out[from + c] as number) + (step.data[i] as number);
        });
      }
    }
  }
  return { rows, cols, data: out };
}

function columnBlocks(columns: number): number[][] {
  const count = Math.ceil(columns / BLOCK_COLUMNS);
  return Array.from({ length: count }, (_, b) => {
    const from = Math.floor((b * columns) / count);
    const to = Math.floor(((b + 1) * columns) / count);
    return Array.from({ length: to - from }, (_, i) => from + i);
  });
}
