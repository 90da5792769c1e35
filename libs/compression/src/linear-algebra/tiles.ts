import { cholesky, type Matrix, zeros } from './cholesky.js';

/** Products in double precision, made by whatever multiplies fast. */
export interface Products {
  /** a b, for a [m, k] and b [k, n] */
  multiply(a: Matrix, b: Matrix): Promise<Matrix>;
  /** a bᵀ, for a [m, k] and b [n, k] */
  multiplyTransposed(a: Matrix, b: Matrix): Promise<Matrix>;
}

/** Side of a tile: products of this size keep all cores busy, and little is held beside the tiles. */
const SIDE = 512;

/**
 * The lower half of a symmetric or of a lower triangular matrix [n, n] in square tiles: half the
 * memory, and no product that is as large as the matrix.
 */
export class Tiles {
  readonly count: number;
  private readonly tiles: Matrix[];

  /** @param side of a tile; the last ones are smaller */
  constructor(
    readonly n: number,
    readonly side = SIDE,
  ) {
    this.count = Math.ceil(n / side);
    this.tiles = [];
    for (let i = 0; i < this.count; i++) {
      for (let j = 0; j <= i; j++) this.tiles.push(zeros(this.size(i), this.size(j)));
    }
  }

  /** Rows of the tiles in tile row `i`. */
  size(i: number): number {
    return Math.min(this.side, this.n - i * this.side);
  }

  /** Tile [size(i), size(j)] for j up to i. */
  at(i: number, j: number): Matrix {
    return this.tiles[(i * (i + 1)) / 2 + j] as Matrix;
  }

  /** Sum of the diagonal. */
  trace(): number {
    let sum = 0;
    for (let i = 0; i < this.count; i++) {
      const { rows, data } = this.at(i, i);
      for (let d = 0; d < rows; d++) sum += data[d * rows + d] as number;
    }
    return sum;
  }

  /** Columns of tile column `j`, of a matrix [m, n]. */
  panel(matrix: Matrix, j: number): Matrix {
    const out = zeros(matrix.rows, this.size(j));
    for (let r = 0; r < matrix.rows; r++) {
      const from = r * this.n + j * this.side;
      out.data.set(matrix.data.subarray(from, from + out.cols), r * out.cols);
    }
    return out;
  }

  /** The inverse of `panel`, for all tile columns. */
  joined(panels: readonly Matrix[]): Matrix {
    const out = zeros(panels[0]?.rows ?? 0, this.n);
    for (const [j, { rows, cols, data }] of panels.entries()) {
      for (let r = 0; r < rows; r++)
        out.data.set(data.subarray(r * cols, (r + 1) * cols), r * this.n + j * this.side);
    }
    return out;
  }
}

/** A lower factor in tiles, and the inverses of its diagonal ones. */
export interface TiledFactor {
  readonly lower: Tiles;
  readonly inverses: readonly Matrix[];
}

/**
 * Cholesky factor of a symmetric positive definite matrix, tile column by tile column: only the tiles
 * on the diagonal are factored in one piece, all else is products.
 * @param a only read @param ridge added to its diagonal
 * @param lower what the factor is written to: of one size with `a`, so that one serves many ridges
 */
export async function choleskyTiles(
  a: Tiles,
  ridge: number,
  products: Products,
  lower: Tiles,
): Promise<TiledFactor> {
  const inverses: Matrix[] = [];
  for (let j = 0; j < a.count; j++) {
    for (let i = j; i < a.count; i++) {
      const left = lower.at(i, j);
      left.data.set(a.at(i, j).data);
      for (let k = 0; k < j; k++)
        subtract(left, await products.multiplyTransposed(lower.at(i, k), lower.at(j, k)));
      if (i > j) {
        const { data } = await products.multiplyTransposed(left, inverses[j] as Matrix);
        left.data.set(data);
        continue;
      }
      for (let d = 0; d < left.rows; d++) {
        const at = d * left.rows + d;
        left.data[at] = (left.data[at] as number) + ridge;
      }
      const factor = cholesky(left);
      left.data.set(factor.data);
      inverses.push(inverseOfLower(factor));
    }
  }
  return { lower, inverses };
}

/**
 * Solves X A = B for X, where A = L Lᵀ.
 * @param b [m, n], one system a row
 */
export async function solveRowsTiles(
  { lower, inverses }: TiledFactor,
  b: Matrix,
  products: Products,
): Promise<Matrix> {
  const { count } = lower;
  const panels = Array.from({ length: count }, (_, j) => lower.panel(b, j));
  const panel = (j: number): Matrix => panels[j] as Matrix;
  for (let j = 0; j < count; j++) {
    for (let k = 0; k < j; k++)
      subtract(panel(j), await products.multiplyTransposed(panel(k), lower.at(j, k)));
    panels[j] = await products.multiplyTransposed(panel(j), inverses[j] as Matrix);
  }
  for (let j = count - 1; j >= 0; j--) {
    for (let k = j + 1; k < count; k++)
      subtract(panel(j), await products.multiply(panel(k), lower.at(k, j)));
    panels[j] = await products.multiply(panel(j), inverses[j] as Matrix);
  }
  return lower.joined(panels);
}

/** W A for W [m, n] and a symmetric A. */
export async function timesTiles(w: Matrix, a: Tiles, products: Products): Promise<Matrix> {
  const panels = Array.from({ length: a.count }, (_, j) => a.panel(w, j));
  const out: Matrix[] = [];
  for (let j = 0; j < a.count; j++) {
    const sum = zeros(w.rows, a.size(j));
    for (const [i, part] of panels.entries()) {
      const product = await (i >= j
        ? products.multiply(part, a.at(i, j))
        : products.multiplyTransposed(part, a.at(j, i)));
      product.data.forEach((value, at) => (sum.data[at] = (sum.data[at] as number) + value));
    }
    out.push(sum);
  }
  return a.joined(out);
}

function subtract(from: Matrix, what: Matrix): void {
  for (let at = 0; at < from.data.length; at++)
    from.data[at] = (from.data[at] as number) - (what.data[at] as number);
}

/** Inverse of a lower triangular matrix. */
function inverseOfLower({ rows: n, data: l }: Matrix): Matrix {
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) {
    const row = i * n;
    const pivot = l[row + i] as number;
    for (let k = 0; k < i; k++) {
      const factor = (l[row + k] as number) / pivot;
      if (factor === 0) continue;
      for (let j = 0; j <= k; j++)
        out.data[row + j] =
          (out.data[row + j] as number) - factor * (out.data[k * n + j] as number);
    }
    out.data[row + i] = 1 / pivot;
  }
  return out;
}
