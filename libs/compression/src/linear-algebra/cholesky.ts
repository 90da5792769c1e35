/** A dense row-major matrix in double precision. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/** A matrix of zeros. */
export function zeros(rows: number, cols: number): Matrix {
  return { rows, cols, data: new Float64Array(rows * cols) };
}

/**
 * Lower Cholesky factor of a symmetric positive definite matrix, by rows; pivots below `1e-12` of
 * the largest diagonal entry are raised to it, so that a rank-deficient Gram still factors.
 * @param a [n, n]; only its lower half is read
 */
export function cholesky(a: Matrix): Matrix {
  const n = a.rows;
  const l = new Float64Array(a.data);
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, l[i * n + i] ?? 0);
  const floor = largest * 1e-12 || 1e-300;
  for (let i = 0; i < n; i++) {
    const ri = i * n;
    for (let j = 0; j <= i; j++) {
      const rj = j * n;
      let sum = l[ri + j] as number;
      for (let k = 0; k < j; k++) sum -= (l[ri + k] as number) * (l[rj + k] as number);
      if (i === j) l[ri + i] = Math.sqrt(Math.max(sum, floor));
      else l[ri + j] = sum / (l[rj + j] as number);
    }
    l.fill(0, ri + i + 1, ri + n);
  }
  return { rows: n, cols: n, data: l };
}

/**
 * Solves X A = B for X, where A = L Lᵀ.
 * @param l lower factor [n, n]
 * @param b [m, n], one system a row
 * @returns X [m, n]
 */
export function solveRows(l: Matrix, b: Matrix): Matrix {
  const n = l.rows;
  const x = new Float64Array(b.data);
  const f = l.data;
  for (let row = 0; row < b.rows; row++) {
    const r = row * n;
    for (let i = 0; i < n; i++) {
      let sum = x[r + i] as number;
      const li = i * n;
      for (let k = 0; k < i; k++) sum -= (f[li + k] as number) * (x[r + k] as number);
      x[r + i] = sum / (f[li + i] as number);
    }
    for (let i = n - 1; i >= 0; i--) {
      const value = (x[r + i] as number) / (f[i * n + i] as number);
      x[r + i] = value;
      const li = i * n;
      for (let k = 0; k < i; k++) x[r + k] = (x[r + k] as number) - value * (f[li + k] as number);
    }
  }
  return { rows: b.rows, cols: n, data: x };
}

/** Inverse of a symmetric positive definite matrix from its lower factor. */
export function inverse(l: Matrix): Matrix {
  const identity = zeros(l.rows, l.rows);
  for (let i = 0; i < l.rows; i++) identity.data[i * l.rows + i] = 1;
  return solveRows(l, identity);
}

/** A Bᵀ for A [m, n] and B [k, n]. */
export function timesTransposed(a: Matrix, b: Matrix): Matrix {
  const out = zeros(a.rows, b.rows);
  const n = a.cols;
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.rows; j++) {
      let sum = 0;
      const [ai, bj] = [i * n, j * n];
      for (let k = 0; k < n; k++) sum += (a.data[ai + k] as number) * (b.data[bj + k] as number);
      out.data[i * b.rows + j] = sum;
    }
  }
  return out;
}

/** Rows and columns of a matrix, picked. */
export function pick(a: Matrix, rows: readonly number[] | null, cols: readonly number[]): Matrix {
  const chosen = rows ?? Array.from({ length: a.rows }, (_, i) => i);
  const out = zeros(chosen.length, cols.length);
  chosen.forEach((row, i) => {
    const from = row * a.cols;
    const to = i * cols.length;
    for (let j = 0; j < cols.length; j++) {
      out.data[to + j] = a.data[from + (cols[j] as number)] as number;
    }
  });
  return out;
}
