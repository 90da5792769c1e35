import { cholesky, type Matrix, timesTransposed } from '../linear-algebra/cholesky.js';
import type { Operand } from './gram.js';

/**
 * The space that some rows span, with an orthonormal basis: a ridge regression toward given weights
 * moves them only within it, so it can be solved there exactly, in as many unknowns as rows.
 * With K = X Xᵀ = L Lᵀ the basis is L⁻¹ X, and the rows' own coordinates are the rows of L.
 */
export class RowSpace {
  /** Coordinates of the rows [rows, rows]. */
  readonly coordinates: Matrix;
  private readonly x: Matrix;

  /** @param block rows; their first `columns` values are taken */
  constructor(block: Operand, columns: number) {
    const data = new Float64Array(block.rows * columns);
    for (let r = 0; r < block.rows; r++) {
      const from = r * block.cols;
      data.set(block.data.subarray(from, from + columns), r * columns);
    }
    this.x = { rows: block.rows, cols: columns, data };
    this.coordinates = cholesky(timesTransposed(this.x, this.x));
  }

  /** Weights [m, columns] as they act within the space [m, rows]. */
  enter(weight: Matrix): Matrix {
    const out = timesTransposed(weight, this.x);
    const { rows: n, data: l } = this.coordinates;
    for (let o = 0; o < out.rows; o++) {
      const row = out.data.subarray(o * n, (o + 1) * n);
      for (let i = 0; i < n; i++) {
        let sum = row[i] as number;
        for (let k = 0; k < i; k++) sum -= (l[i * n + k] as number) * (row[k] as number);
        row[i] = sum / (l[i * n + i] as number);
      }
    }
    return out;
  }

  /** Weights [m, columns] moved, within the space, from what they were in it to what was fitted. */
  leave(weight: Matrix, entered: Matrix, fitted: Matrix): Matrix {
    const { rows: n, data: l } = this.coordinates;
    const { cols, data: x } = this.x;
    const data = new Float64Array(weight.data);
    for (let o = 0; o < weight.rows; o++) {
      const step = fitted.data
        .slice(o * n, (o + 1) * n)
        .map((value, i) => value - (entered.data[o * n + i] as number));
      for (let i = n - 1; i >= 0; i--) {
        const value = (step[i] as number) / (l[i * n + i] as number);
        step[i] = value;
        for (let k = 0; k < i; k++)
          step[k] = (step[k] as number) - value * (l[i * n + k] as number);
        for (let j = 0; j < cols; j++) {
          const at = o * cols + j;
          data[at] = (data[at] as number) + value * (x[i * cols + j] as number);
        }
      }
    }
    return { rows: weight.rows, cols, data };
  }
}
