import { buildModel, floatTensor, openSession, type Session, writeModel } from '@espalier/onnx';
import type { Matrix } from '../linear-algebra/cholesky.js';

const FLUSH_ROWS = 4096;

/**
 * ONNX Runtime as the matrix engine: one session that multiplies row blocks with their own
 * transpose on all cores. Open it once, release it when done.
 */
export class GramEngine {
  private constructor(private readonly session: Session) {}

  /** @param threads cores to use; all by default */
  static async open(threads?: number): Promise<GramEngine> {
    const model = buildModel({
      inputs: [{ name: 'z', dtype: 'float32', shape: ['rows', 'width'] }],
      outputs: [{ name: 'gram', dtype: 'float32', shape: ['width', 'width'] }],
      nodes: [
        { op: 'Transpose', inputs: ['z'], outputs: ['zt'], attributes: { perm: { ints: [1, 0] } } },
        { op: 'MatMul', inputs: ['zt', 'z'], outputs: ['gram'] },
      ],
      initializers: {},
    });
    return new GramEngine(await openSession(writeModel(model), threads ? { threads } : {}));
  }

  /** zᵀz for `rows` rows of `width` floats. */
  async multiply(z: Float32Array, rows: number, width: number): Promise<Float32Array> {
    const out = await this.session.run({
      z: floatTensor([rows, width], z.subarray(0, rows * width)),
    });
    return out['gram']?.data as Float32Array;
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

/** Sums zᵀz over rows that come one by one, in double precision between blocks. */
export class GramAccumulator {
  readonly sum: Float64Array;
  private readonly block: Float32Array;
  private filled = 0;
  rows = 0;

  /** @param width floats a row */
  constructor(
    private readonly engine: GramEngine,
    readonly width: number,
  ) {
    this.sum = new Float64Array(width * width);
    this.block = new Float32Array(
      Math.min(FLUSH_ROWS, Math.max(64, Math.floor(4e6 / width))) * width,
    );
  }

  /** Where the next row is written; call `commit` after it. */
  next(): { into: Float32Array; at: number } {
    return { into: this.block, at: this.filled * this.width };
  }

  /** Counts the row written; true when the block is full and `flush` must be awaited. */
  commit(): boolean {
    this.filled++;
    this.rows++;
    return (this.filled + 1) * this.width > this.block.length;
  }

  async flush(): Promise<void> {
    if (this.filled === 0) return;
    const gram = await this.engine.multiply(this.block, this.filled, this.width);
    for (let i = 0; i < gram.length; i++)
      this.sum[i] = (this.sum[i] as number) + (gram[i] as number);
    this.filled = 0;
  }
}

/**
 * Second moments of a layer's rows about their means.
 * `xx` [n, n], `tx` [m, n], `tt` [m] sums of squares, `meanX` [n], `meanT` [m].
 */
export interface Moments {
  readonly rows: number;
  readonly xx: Matrix;
  readonly tx: Matrix;
  readonly tt: Float64Array;
  readonly meanX: Float64Array;
  readonly meanT: Float64Array;
}

/**
 * Takes the Gram of rows [x | t | 1] apart.
 * @param n columns of x
 * @param m columns of t
 */
export function momentsOf(sum: Float64Array, n: number, m: number): Moments {
  const width = n + m + 1;
  const at = (i: number, j: number): number => sum[i * width + j] as number;
  const rows = at(n + m, n + m);
  const mean = (i: number): number => at(i, n + m) / Math.max(rows, 1);
  const meanX = Float64Array.from({ length: n }, (_, i) => mean(i));
  const meanT = Float64Array.from({ length: m }, (_, i) => mean(n + i));
  const xx = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      xx[i * n + j] = at(i, j) - rows * (meanX[i] as number) * (meanX[j] as number);
    }
  }
  const tx = new Float64Array(m * n);
  const tt = new Float64Array(m);
  for (let o = 0; o < m; o++) {
    for (let j = 0; j < n; j++) {
      tx[o * n + j] = at(n + o, j) - rows * (meanT[o] as number) * (meanX[j] as number);
    }
    tt[o] = at(n + o, n + o) - rows * (meanT[o] as number) ** 2;
  }
  return {
    rows,
    xx: { rows: n, cols: n, data: xx },
    tx: { rows: m, cols: n, data: tx },
    tt,
    meanX,
    meanT,
  };
}

/** Sum of two Grams. */
export function addSums(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + (b[i] as number));
}
