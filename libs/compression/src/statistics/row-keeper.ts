import type { GramAccumulator, Operand } from './gram.js';
import type { TiledGram } from './tiled-gram.js';

/** Rows of a regression as they were read. */
export interface RowBlock {
  /** x | t | 1: what the layer reads, what it should give, and one. */
  readonly z: Operand;
  /** What is added to the layer's output before it is read on [rows, outputs]; none, no residual sum. */
  readonly shortcut: Float32Array | undefined;
}

/** Which rows are kept. */
export interface Keeping {
  /** At most this many; 0 keeps none. */
  readonly room: number;
  /** One in so many. */
  readonly every: number;
}

/** Sums the Gram of rows, and keeps the rows where there is room for them. */
export class RowKeeper {
  private readonly row: Float32Array;
  private readonly z: Float32Array;
  private readonly shortcut: Float32Array | undefined;
  private seen = 0;
  private filled = 0;

  constructor(
    /** What is summed of every row; none where the rows kept are all that is wanted. */
    readonly sum: GramAccumulator | TiledGram | undefined,
    private readonly width: number,
    private readonly outputs: number,
    private readonly keeping: Keeping,
    hasShortcut: boolean,
  ) {
    this.row = new Float32Array(sum ? 0 : width);
    this.z = new Float32Array(keeping.room * width);
    this.shortcut = hasShortcut ? new Float32Array(keeping.room * outputs) : undefined;
  }

  /** Where the next row is written. */
  next(): { into: Float32Array; at: number } {
    return this.sum?.next() ?? { into: this.row, at: 0 };
  }

  keep(row: Float32Array, shortcut: Float32Array): void {
    const { room, every } = this.keeping;
    if (this.seen++ % every !== 0 || this.filled >= room) return;
    this.z.set(row, this.filled * this.width);
    this.shortcut?.set(shortcut, this.filled * this.outputs);
    this.filled++;
  }

  get block(): RowBlock | undefined {
    if (this.keeping.room === 0) return undefined;
    return {
      z: { rows: this.filled, cols: this.width, data: this.z },
      shortcut: this.shortcut,
    };
  }
}
