import { type Matrix, zeros } from '../linear-algebra/cholesky.js';
import { Tiles } from '../linear-algebra/tiles.js';
import type { GramEngine, Operand } from './gram.js';

/** Rows gathered before they are multiplied. */
const FLUSH_ROWS = 1024;

/** Second moments of a wide layer's rows, as `Moments`, with `xx` in tiles. */
export interface TiledMoments {
  readonly rows: number;
  readonly xx: Tiles;
  readonly tx: Matrix;
  readonly meanX: Float64Array;
  readonly meanT: Float64Array;
}

/**
 * Sums zᵀz over rows z = [x | t | 1] that come one by one, in tiles: a product is never larger than
 * two tiles' sides, what lies above the diagonal is neither computed nor held, and tᵀt is left out.
 */
export class TiledGram {
  private readonly xx: Tiles;
  private readonly tx: Matrix;
  private readonly sumX: Float64Array;
  private readonly sumT: Float64Array;
  private readonly row: Float32Array;
  /** The rows gathered, a matrix [rows, side] for each tile column, then one for t. */
  private readonly panels: Float32Array[];
  private filled = 0;
  private rows = 0;

  /** @param columns of x @param outputs of t @param side of a tile */
  constructor(
    private readonly engine: GramEngine,
    columns: number,
    private readonly outputs: number,
    side?: number,
  ) {
    this.xx = new Tiles(columns, side);
    this.tx = zeros(outputs, columns);
    this.sumX = new Float64Array(columns);
    this.sumT = new Float64Array(outputs);
    this.row = new Float32Array(columns + outputs + 1);
    this.panels = Array.from(
      { length: this.xx.count + 1 },
      (_, j) => new Float32Array(FLUSH_ROWS * this.width(j)),
    );
  }

  /** Where the next row is written; call `commit` after it. */
  next(): { into: Float32Array; at: number } {
    return { into: this.row, at: 0 };
  }

  /** Counts the row written; true when `flush` must be awaited before another. */
  commit(): boolean {
    for (const [j, panel] of this.panels.entries()) {
      const [from, width] = [j < this.xx.count ? j * this.xx.side : this.xx.n, this.width(j)];
      panel.set(this.row.subarray(from, from + width), this.filled * width);
    }
    for (let c = 0; c < this.xx.n; c++)
      this.sumX[c] = (this.sumX[c] as number) + (this.row[c] as number);
    for (let o = 0; o < this.outputs; o++)
      this.sumT[o] = (this.sumT[o] as number) + (this.row[this.xx.n + o] as number);
    this.filled++;
    this.rows++;
    return this.filled === FLUSH_ROWS;
  }

  async flush(): Promise<void> {
    if (this.filled === 0) return;
    const { count, n, side } = this.xx;
    for (let j = 0; j < count; j++) {
      for (let i = j; i < count; i++) {
        const product = await this.engine.cross(this.gathered(i), this.gathered(j));
        const { data } = this.xx.at(i, j);
        for (let at = 0; at < product.length; at++)
          data[at] = (data[at] as number) + (product[at] as number);
      }
      const product = await this.engine.cross(this.gathered(count), this.gathered(j));
      const width = this.width(j);
      for (let o = 0; o < this.outputs; o++) {
        for (let c = 0; c < width; c++) {
          const at = o * n + j * side + c;
          this.tx.data[at] = (this.tx.data[at] as number) + (product[o * width + c] as number);
        }
      }
    }
    this.filled = 0;
  }

  /**
   * Turns the sums into moments: in place, so that no second matrix is held. No row may come after.
   * @param about the means of the rows, or zero for a layer that has no bias to shift
   */
  async moments(about: 'means' | 'zero'): Promise<TiledMoments> {
    await this.flush();
    const { xx, tx, rows } = this;
    const over = about === 'zero' ? Infinity : Math.max(rows, 1);
    const meanX = this.sumX.map((sum) => sum / over);
    const meanT = this.sumT.map((sum) => sum / over);
    const { n, side, count } = xx;
    const centre = (matrix: Matrix, left: Float64Array, right: Float64Array): void => {
      for (let r = 0; r < matrix.rows; r++) {
        const factor = rows * (left[r] as number);
        for (let c = 0; c < matrix.cols; c++) {
          const at = r * matrix.cols + c;
          matrix.data[at] = (matrix.data[at] as number) - factor * (right[c] as number);
        }
      }
    };
    const part = (j: number): Float64Array => meanX.subarray(j * side, Math.min(n, (j + 1) * side));
    for (let i = 0; i < count; i++)
      for (let j = 0; j <= i; j++) centre(xx.at(i, j), part(i), part(j));
    centre(tx, meanT, meanX);
    return { rows, xx, tx, meanX, meanT };
  }

  /** Columns of panel `j`. */
  private width(j: number): number {
    return j < this.xx.count ? this.xx.size(j) : this.outputs;
  }

  private gathered(j: number): Operand {
    return { rows: this.filled, cols: this.width(j), data: this.panels[j] as Float32Array };
  }
}
