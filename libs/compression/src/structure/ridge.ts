import { cholesky, type Matrix, solveRows, zeros } from '../linear-algebra/cholesky.js';
import type { Moments } from '../statistics/gram.js';

/** Weights [m, n] and bias [m] of a linear map. */
export interface Affine {
  readonly weight: Matrix;
  readonly bias: Float64Array;
}

/** Candidate strengths, as shares of the mean diagonal of the Gram. */
export const RIDGE_STRENGTHS = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1] as const;

/**
 * Ridge regression that shrinks toward given weights instead of zero, with a free bias:
 * argmin_W |T - W X|² + lambda |W - W0|², on centred moments.
 * @param strength lambda over the mean diagonal of X Xᵀ
 */
export function ridgeToward(moments: Moments, w0: Matrix, strength: number): Affine {
  return ridgePath(moments, w0)(strength);
}

/** Ridge regressions of one problem at any strength. */
export function ridgePath(moments: Moments, w0: Matrix): (strength: number) => Affine {
  const { xx, tx, meanX, meanT } = moments;
  const residual = subtract(tx, multiply(w0, xx));
  return (strength) => {
    const weight = ridgeStep(xx, residual, w0, strength);
    return { weight, bias: freeBias(weight, meanX, meanT) };
  };
}

/** W0 + R (X Xᵀ + lambda I)⁻¹ for the residual R = T Xᵀ - W0 X Xᵀ. */
export function ridgeStep(xx: Matrix, residual: Matrix, w0: Matrix, strength: number): Matrix {
  const delta = solveRows(cholesky(ridgeSystem(xx, strength)), residual);
  return {
    rows: w0.rows,
    cols: w0.cols,
    data: w0.data.map((w, i) => w + (delta.data[i] as number)),
  };
}

/** X Xᵀ with the ridge on its diagonal. */
export function ridgeSystem(xx: Matrix, strength: number): Matrix {
  const n = xx.rows;
  let trace = 0;
  for (let i = 0; i < n; i++) trace += xx.data[i * n + i] as number;
  const lambda = (strength * trace) / Math.max(n, 1) + 1e-12;
  const system = { rows: n, cols: n, data: new Float64Array(xx.data) };
  for (let i = 0; i < n; i++) system.data[i * n + i] = (system.data[i * n + i] as number) + lambda;
  return system;
}

/** Mean squared error of a linear map over the target's variance, both from moments. */
export function relativeError(moments: Moments, { weight, bias }: Affine): number {
  const { rows, xx, tx, tt, meanX, meanT } = moments;
  const wx = multiply(weight, xx);
  let error = 0;
  let energy = 0;
  const n = weight.cols;
  for (let o = 0; o < weight.rows; o++) {
    let quadratic = 0;
    let cross = 0;
    let mean = (bias[o] as number) - (meanT[o] as number);
    for (let j = 0; j < n; j++) {
      const w = weight.data[o * n + j] as number;
      quadratic += w * (wx.data[o * n + j] as number);
      cross += w * (tx.data[o * n + j] as number);
      mean += w * (meanX[j] as number);
    }
    error += (tt[o] as number) - 2 * cross + quadratic + rows * mean * mean;
    energy += tt[o] as number;
  }
  return error / Math.max(energy, 1e-30);
}

/**
 * Fits on one part of the rows with ever more strength, for as long as the error on the other falls.
 * @returns the strength, to be used on all rows
 */
export function chooseStrength(fit: Moments, held: Moments, w0: Matrix): number {
  const at = ridgePath(fit, w0);
  let best: { strength: number; error: number } = { strength: 1, error: Infinity };
  for (const strength of RIDGE_STRENGTHS) {
    const error = relativeError(held, at(strength));
    if (!(error < best.error)) break;
    best = { strength, error };
  }
  return best.strength;
}

/** The bias that makes the mean output right. */
export function freeBias(weight: Matrix, meanX: Float64Array, meanT: Float64Array): Float64Array {
  return meanT.map((mean, o) => {
    let sum = mean;
    for (let j = 0; j < weight.cols; j++) {
      sum -= (weight.data[o * weight.cols + j] as number) * (meanX[j] as number);
    }
    return sum;
  });
}

/** A B for A [m, n] and B [n, k]. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const out = zeros(a.rows, b.cols);
  const k = b.cols;
  for (let i = 0; i < a.rows; i++) {
    for (let l = 0; l < a.cols; l++) {
      const value = a.data[i * a.cols + l] as number;
      if (value === 0) continue;
      const [row, from] = [i * k, l * k];
      for (let j = 0; j < k; j++) {
        out.data[row + j] = (out.data[row + j] as number) + value * (b.data[from + j] as number);
      }
    }
  }
  return out;
}

function subtract(a: Matrix, b: Matrix): Matrix {
  return {
    rows: a.rows,
    cols: a.cols,
    data: a.data.map((value, i) => value - (b.data[i] as number)),
  };
}
