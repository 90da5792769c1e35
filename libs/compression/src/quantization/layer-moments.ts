import { graphOf, type Tensor } from '@espalier/onnx';
import type { Matrix } from '../linear-algebra/cholesky.js';
import { type GramEngine, momentsOf } from '../statistics/gram.js';
import { type RowReader, rowReader } from '../statistics/patches.js';
import { dimsAtOne, planRows, type RowPlan, seedOf } from '../statistics/row-plan.js';
import { type RunSettings, runOver } from '../statistics/run.js';
import type { Samples } from '../statistics/samples.js';
import type { AffineScale } from './affine.js';
import type { QuantizationPlan, QuantizedLayer } from './plan.js';

/** Rows gathered before they are multiplied. */
const BLOCK_ROWS = 512;
/** Up to this width a product row by row is faster than handing a block to ONNX Runtime. */
const NARROW = 24;
/** Grouped layers that narrow make do with one row for so many of others. */
const NARROW_SHARE = 4;
/** Columns whose second moments are held together; a wider layer is taken apart. */
const WIDEST_BLOCK = 768;

/** Moments of a run of columns, about the mean. */
export interface ColumnBlock {
  readonly start: number;
  /** [columns, columns] of the rounded values. */
  readonly xx: Matrix;
}

/** What one group of an int8 layer reads: the float model's values, rounded to the input's scale. */
export interface InputMoments {
  readonly rows: number;
  readonly blocks: readonly ColumnBlock[];
  /** Mean of the rounded values, a column. */
  readonly mean: Float64Array;
  /** Mean of what rounding and clipping took away. */
  readonly lost: Float64Array;
  /** Moment of what was taken away with the rounded value of the same column, about the means. */
  readonly lostWith: Float64Array;
}

/** By a layer's output; one entry a group. */
export type LayerMoments = ReadonlyMap<string, readonly InputMoments[]>;

/**
 * Runs the float model over the samples, once, and sums moments of what every layer reads. Each layer
 * is later fitted to its own rounding and its input's, not to that of layers before it: so no error
 * is corrected twice. Memory does not grow with the number of samples.
 * @param seed of the draw of positions
 */
export async function collectMoments(
  plan: QuantizationPlan,
  activations: ReadonlyMap<string, AffineScale>,
  samples: Samples,
  indices: readonly number[],
  engine: GramEngine,
  settings: RunSettings & { readonly seed: number },
): Promise<LayerMoments> {
  const graph = graphOf(plan.model);
  const dims = dimsAtOne(plan.model);
  const open = plan.layers.flatMap((layer) => {
    const weight = graph.constant(layer.weight)?.dims ?? [];
    const reader = rowReader(layer, weight, dims(layer.input), dims(layer.output));
    const scale = activations.get(plan.tensors.get(layer.input)?.scaleOf ?? '');
    if (!reader || !scale) return [];
    const seed = seedOf(layer, settings.seed);
    // Groups of a few columns each need few rows, and there are many groups.
    const share = layer.group > 1 && reader.columns < NARROW ? NARROW_SHARE : 1;
    const rows = planRows(reader.columns, reader.positions, indices.length * share, seed);
    return [new LayerSums(layer, reader, rows, scale, engine)];
  });
  const outputs = [...new Set(open.map(({ layer }) => layer.input))];
  if (outputs.length === 0) return new Map();
  await runOver(plan.model, outputs, samples, indices, settings, async (tensors, offset, count) => {
    for (const sums of open) await sums.add(tensors[sums.layer.input], offset, count);
  });
  const moments = new Map<string, readonly InputMoments[]>();
  for (const sums of open) moments.set(sums.layer.output, await sums.moments());
  return moments;
}

/** Sums over the rows that one layer reads, a group each. */
class LayerSums {
  private readonly groups: readonly GroupSums[];
  private readonly row: Float32Array;

  constructor(
    readonly layer: QuantizedLayer,
    private readonly reader: RowReader,
    private readonly rows: RowPlan,
    private readonly scale: AffineScale,
    engine: GramEngine,
  ) {
    this.groups = Array.from({ length: layer.group }, () => new GroupSums(reader.columns, engine));
    this.row = new Float32Array(reader.columns);
  }

  async add(input: Tensor | undefined, offset: number, count: number): Promise<void> {
    if (!input) return;
    const { row, scale } = this;
    for (let sample = 0; sample < count; sample++) {
      for (const position of this.rows.positions(offset + sample)) {
        for (let group = 0; group < this.groups.length; group++) {
          this.reader.read(input, sample, position, group, row, 0);
          const sums = this.groups[group] as GroupSums;
          sums.add(row, scale);
          if (sums.full) await sums.flush();
        }
      }
    }
  }

  async moments(): Promise<InputMoments[]> {
    for (const sums of this.groups) await sums.flush();
    return this.groups.map((sums) => sums.moments());
  }
}

interface BlockSums {
  readonly start: number;
  readonly columns: number;
  /** Of rows [x | 1]. */
  readonly sum: Float64Array;
  readonly rows: Float32Array;
}

class GroupSums {
  private readonly blocks: readonly BlockSums[];
  private readonly lost: Float64Array;
  private readonly lostWith: Float64Array;
  private readonly capacity: number;
  private filled = 0;

  constructor(
    columns: number,
    private readonly engine: GramEngine,
  ) {
    const parts = Math.ceil(columns / WIDEST_BLOCK);
    const size = Math.ceil(columns / parts);
    this.capacity = columns < NARROW ? 1 : BLOCK_ROWS;
    this.blocks = Array.from({ length: parts }, (_, part) => {
      const start = part * size;
      const width = Math.min(size, columns - start) + 1;
      const rows = new Float32Array(this.capacity * width);
      return { start, columns: width - 1, sum: new Float64Array(width * width), rows };
    });
    this.lost = new Float64Array(columns);
    this.lostWith = new Float64Array(columns);
  }

  get full(): boolean {
    return this.filled === this.capacity;
  }

  /** Rounds a row to the scale and takes it up. */
  add(row: Float32Array, { scale, zeroPoint }: AffineScale): void {
    const { lost, lostWith } = this;
    const inverse = 1 / scale;
    for (const { start, columns, rows } of this.blocks) {
      let to = this.filled * (columns + 1);
      for (let k = start; k < start + columns; k++) {
        const value = row[k] as number;
        const exact = value * inverse + zeroPoint + 0.5;
        const level = exact < 0 ? 0 : exact > 255 ? 255 : exact | 0;
        const rounded = (level - zeroPoint) * scale;
        const loss = value - rounded;
        lost[k] = (lost[k] as number) + loss;
        lostWith[k] = (lostWith[k] as number) + loss * rounded;
        rows[to++] = rounded;
      }
      rows[to] = 1;
    }
    this.filled++;
    if (this.capacity === 1) this.addNarrow();
  }

  private addNarrow(): void {
    this.filled = 0;
    for (const { columns, sum, rows } of this.blocks) {
      const width = columns + 1;
      for (let i = 0; i < width; i++) {
        const value = rows[i] as number;
        if (value === 0) continue;
        const at = i * width;
        for (let j = 0; j < width; j++)
          sum[at + j] = (sum[at + j] as number) + value * (rows[j] as number);
      }
    }
  }

  async flush(): Promise<void> {
    const { filled } = this;
    if (filled === 0) return;
    this.filled = 0;
    for (const { columns, sum, rows } of this.blocks) {
      const block = { rows: filled, cols: columns + 1, data: rows };
      const gram = await this.engine.cross(block, block);
      for (let i = 0; i < gram.length; i++) sum[i] = (sum[i] as number) + (gram[i] as number);
    }
  }

  moments(): InputMoments {
    const parts = this.blocks.map(({ sum, columns }) => momentsOf(sum, columns, 0));
    const rows = parts[0]?.rows ?? 0;
    const mean = Float64Array.from(parts.flatMap(({ meanX }) => [...meanX]));
    return {
      rows,
      blocks: parts.map(({ xx }, i) => ({ start: this.blocks[i]?.start ?? 0, xx })),
      mean,
      lost: this.lost.map((sum) => sum / Math.max(rows, 1)),
      lostWith: this.lostWith.map((sum, k) => sum - (this.lost[k] as number) * (mean[k] as number)),
    };
  }
}
