import {
  buildModel,
  floatTensor,
  type Model,
  openSession,
  type Session,
  type Tensor,
  tensorOf,
  writeModel,
} from '@espalier/onnx';
import type { Matrix } from '../linear-algebra/cholesky.js';
import type { Products } from '../linear-algebra/tiles.js';

const FLUSH_ROWS = 4096;

/** A row-major operand; rows beyond `rows` in `data` are not read. */
export interface Operand {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float32Array;
}

/** A product's operands: which of them is turned, and how precise they are. */
interface ProductKind {
  readonly turned: 'transA' | 'transB' | undefined;
  readonly dtype: 'float32' | 'float64';
}

/**
 * ONNX Runtime as the matrix engine: sessions that multiply on all cores. Open it once, release it
 * when done.
 */
export class GramEngine implements Products {
  private constructor(
    private readonly crossing: Session,
    private readonly projecting: Session,
    private readonly multiplying: Session,
    private readonly multiplyingTransposed: Session,
  ) {}

  /** @param threads cores to use; all by default */
  static async open(threads?: number): Promise<GramEngine> {
    const open = (turned: ProductKind['turned'], dtype: ProductKind['dtype']): Promise<Session> =>
      openSession(writeModel(productModel({ turned, dtype })), threads ? { threads } : {});
    return new GramEngine(
      await open('transA', 'float32'),
      await open('transB', 'float32'),
      await open(undefined, 'float64'),
      await open('transB', 'float64'),
    );
  }

  /** aᵀ b, [a.cols, b.cols] */
  async cross(a: Operand, b: Operand): Promise<Float32Array> {
    return (await product(this.crossing, single(a), single(b))).data as Float32Array;
  }

  /** a bᵀ, [a.rows, b.rows] */
  async project(a: Operand, b: Operand): Promise<Float32Array> {
    return (await product(this.projecting, single(a), single(b))).data as Float32Array;
  }

  async multiply(a: Matrix, b: Matrix): Promise<Matrix> {
    const { data } = await product(this.multiplying, double(a), double(b));
    return { rows: a.rows, cols: b.cols, data: data as Float64Array };
  }

  async multiplyTransposed(a: Matrix, b: Matrix): Promise<Matrix> {
    const { data } = await product(this.multiplyingTransposed, double(a), double(b));
    return { rows: a.rows, cols: b.rows, data: data as Float64Array };
  }

  async release(): Promise<void> {
    await this.crossing.release();
    await this.projecting.release();
    await this.multiplying.release();
    await this.multiplyingTransposed.release();
  }
}

function productModel({ turned, dtype }: ProductKind): Model {
  return buildModel({
    inputs: [
      { name: 'a', dtype, shape: ['a_rows', 'a_cols'] },
      { name: 'b', dtype, shape: ['b_rows', 'b_cols'] },
    ],
    outputs: [{ name: 'product', dtype, shape: ['rows', 'cols'] }],
    nodes: [
      {
        op: 'Gemm',
        inputs: ['a', 'b'],
        outputs: ['product'],
        attributes: turned ? { [turned]: { int: 1 } } : {},
      },
    ],
    initializers: {},
  });
}

const single = ({ rows, cols, data }: Operand): Tensor =>
  floatTensor([rows, cols], data.subarray(0, rows * cols));

const double = ({ rows, cols, data }: Matrix): Tensor => tensorOf('float64', [rows, cols], data);

async function product(session: Session, a: Tensor, b: Tensor): Promise<Tensor> {
  const { product: out } = await session.run({ a, b });
  return out as Tensor;
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
    const block = { rows: this.filled, cols: this.width, data: this.block };
    const gram = await this.engine.cross(block, block);
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
